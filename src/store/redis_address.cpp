#include "store/redis_address.h"

#include <algorithm>
#include <charconv>

namespace skein::store {
namespace {

constexpr std::string_view kTcp = "redis://", kTls = "rediss://", kUnix = "redis+unix:";
constexpr int kDatabases = 1 << 20;

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

Result<int> number(std::string_view text, std::string_view what, int least, int most) {
  int out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error == std::errc() && end == text.data() + text.size() && out >= least && out <= most)
    return out;
  return fail(Code::argument, "the {} of a Redis is a number from {} to {}, and {} is none", what,
              least, most, escaped(text, 32));
}

// What is before the @, taken off.
Result<std::string> take_user(std::string_view& rest, std::string_view until) {
  const size_t mark = rest.substr(0, rest.find_first_of(until)).rfind('@');
  if (mark == std::string_view::npos) return std::string();
  const std::string_view user = rest.substr(0, mark);
  rest.remove_prefix(mark + 1);
  if (user.find(':') != std::string_view::npos)
    return fail(Code::argument,
                "the address of a Redis has no password in it, since others see it in the list of "
                "processes; SKEIN_STORE_PASSWORD or --store-password-file has it");
  return std::string(user);
}

Result<RedisAddress> parse_unix(std::string_view rest) {
  RedisAddress out;
  if (rest.starts_with("//")) {
    rest.remove_prefix(2);
    SK_TRY(out.user, take_user(rest, "/"));
  }
  if (const size_t mark = rest.find("?db="); mark != std::string_view::npos) {
    SK_TRY(out.database, number(rest.substr(mark + 4), "database", 0, kDatabases));
    rest = rest.substr(0, mark);
  }
  out.path = rest;
  // As long as the address of a socket may be.
  if (out.path.empty() || out.path.front() != '/' || out.path.size() > 107)
    return fail(Code::argument,
                "redis+unix: is followed by the whole path of a socket, at most 107 bytes long: "
                "redis+unix:/run/redis/redis-server.sock");
  return out;
}

Result<RedisAddress> parse_tcp(std::string_view rest) {
  RedisAddress out;
  SK_TRY(out.user, take_user(rest, "/"));
  if (const size_t slash = rest.find('/'); slash != std::string_view::npos) {
    if (slash + 1 < rest.size()) {
      SK_TRY(out.database, number(rest.substr(slash + 1), "database", 0, kDatabases));
    }
    rest = rest.substr(0, slash);
  }
  std::string_view port;
  if (rest.starts_with('[')) {
    const size_t end = rest.find(']');
    if (end == std::string_view::npos)
      return fail(Code::argument, "the address of a Redis has a [ without a ]");
    out.host = rest.substr(1, end - 1);
    port = rest.substr(end + 1);
  } else {
    const size_t colon = std::min(rest.find(':'), rest.size());
    out.host = rest.substr(0, colon);
    port = rest.substr(colon);
  }
  if (out.host.empty())
    return fail(Code::argument,
                "the address of a Redis has no host: redis://[USER@]HOST[:PORT][/DATABASE]");
  if (port.empty()) return out;
  if (!port.starts_with(':')) port = " ";
  SK_TRY(out.port, number(port.substr(1), "port", 1, 65535));
  return out;
}

}  // namespace

std::string RedisAddress::text() const {
  const std::string who = user.empty() ? "" : user + "@";
  if (!path.empty())
    return fmt::format("redis+unix:{}{}{}{}", user.empty() ? "" : "//", who, path,
                       database ? fmt::format("?db={}", database) : "");
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return fmt::format("redis://{}{}{}{}:{}/{}", who, is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "",
                     port, database);
}

bool is_redis_address(std::string_view text) {
  return text.starts_with(kTcp) || text.starts_with(kTls) || text.starts_with(kUnix);
}

Result<RedisAddress> parse_redis_address(std::string_view text) {
  if (!is_plain(text))
    return fail(Code::argument, "the address of a Redis has characters that belong in none");
  if (text.starts_with(kUnix)) return parse_unix(text.substr(kUnix.size()));
  if (text.starts_with(kTcp)) return parse_tcp(text.substr(kTcp.size()));
  return fail(Code::unsupported,
              "rediss:// is not spoken here, since the hiredis of Debian 12 has no TLS: let a "
              "tunnel on this machine do that (docs/deploying.md has one of HAProxy) and name it "
              "with redis:// or redis+unix:");
}

}  // namespace skein::store
