#include "server/access.h"

#include <algorithm>

namespace skein::server {
namespace {

constexpr std::pair<std::string_view, Role> kRoles[] = {
    {"read", Role::read},
    {"generate", Role::generate},
    {"state", Role::state},
    {"admin", Role::admin},
};

bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

bool is_number(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return out;
}

Digest digest_of(std::string_view key) {
  Sha256 hash;
  hash.update(key);
  return hash.finish();
}

// Clients use any of the three, some of them two at once.
std::vector<std::string_view> keys_in(const Head& head) {
  std::vector<std::string_view> out;
  for (const Field& field : head.fields) {
    std::string_view value = field.value;
    if (field.name == "authorization") {
      constexpr std::string_view kScheme = "bearer ";
      if (value.size() <= kScheme.size()) continue;
      const std::string_view scheme = value.substr(0, kScheme.size());
      if (!std::equal(scheme.begin(), scheme.end(), kScheme.begin(),
                      [](char a, char b) { return (a | 0x20) == b; }))
        continue;
      value.remove_prefix(kScheme.size());
    } else if (field.name != "x-api-key" && field.name != "api-key") {
      continue;
    }
    out.push_back(value);
  }
  return out;
}

}  // namespace

std::string_view role_name(Role role) {
  for (const auto& [name, one] : kRoles)
    if (one == role) return name;
  return "open";
}

Status Keys::add(std::string_view key) {
  Role role = Role::admin;
  bool named = false;
  for (const auto& [name, one] : kRoles)
    if (key.size() > name.size() && key.starts_with(name) && key[name.size()] == ':') {
      role = one;
      named = true;
      key.remove_prefix(name.size() + 1);
      break;
    }
  if (key.empty() || !is_visible(key) || key.find(',') != std::string_view::npos)
    return fail(Code::argument,
                "a key has to be visible ASCII characters without blanks and commas; several stand "
                "in --api-key-file, one a line");
  // A role with a slip in it would be a key for everything.
  const size_t mark = key.find(':');
  const bool is_word =
      mark != std::string_view::npos && mark > 0 &&
      std::all_of(key.begin(), key.begin() + static_cast<std::ptrdiff_t>(mark),
                  [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
  if (role == Role::admin && is_word && !named)
    return fail(Code::argument,
                "{} is no role: there are read, generate, state and admin; admin:KEY lets a key "
                "begin with a word and a colon",
                key.substr(0, mark));
  keys_.push_back({digest_of(key), role});
  return {};
}

Status Keys::add_lines(std::string_view text) {
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    if (auto status = add(line); !status)
      return fail(status.error().code, "line {}: {}", number, status.error().message);
  }
  return {};
}

std::optional<Role> Keys::role_of(const Head& head) const {
  std::optional<Role> best;
  for (const std::string_view given : keys_in(head)) {
    const Digest digest = digest_of(given);
    for (const Key& key : keys_)
      if (equal_digests(key.digest, digest)) best = std::max(best.value_or(Role::open), key.role);
  }
  return best;
}

Digest Keys::tenant_of(const Head& head) const {
  Digest out{};
  std::optional<Role> best;
  for (const std::string_view given : keys_in(head)) {
    const Digest digest = digest_of(given);
    for (const Key& key : keys_) {
      if (!equal_digests(key.digest, digest) || best >= key.role) continue;
      best = key.role;
      // Not the key's own digest: a tenant's name may stand where others read it.
      Sha256 hash;
      hash.update("skein tenant ");
      hash.update(digest);
      out = hash.finish();
    }
  }
  return out;
}

Status HostRule::add(std::string_view name) {
  std::string_view host = name;
  const size_t mark = host.starts_with('[') ? host.find("]:") : host.find(':');
  if (mark != std::string_view::npos)
    host = host.substr(0, mark + static_cast<size_t>(host[mark] == ']'));
  const std::string_view port = name.substr(std::min(host.size() + 1, name.size()));
  if (host.empty() || !is_visible(host) || !is_number(port) ||
      host.find_first_of("/@,") != std::string_view::npos)
    return fail(Code::argument, "{} is no name of a machine, such as skein.example",
                escaped(name, 80));
  allowed.push_back(lower(host));
  return {};
}

bool HostRule::allows(const std::string& host) const {
  if (any_name || host == "localhost" || host == "[::1]") return true;
  const auto of_address = [](char c) { return (c >= '0' && c <= '9') || c == '.'; };
  const bool address = host.starts_with('[') || std::all_of(host.begin(), host.end(), of_address);
  if (address && (any_address || host.starts_with("127."))) return true;
  return std::find(allowed.begin(), allowed.end(), host) != allowed.end();
}

Status OriginRule::add(std::string_view given) {
  std::string origin = lower(given);
  while (origin.ends_with('/') && !origin.ends_with("://")) origin.pop_back();
  if (given == "*" || given == "null") {
    allowed.push_back(std::move(origin));
    return {};
  }
  const size_t mark = origin.find("://");
  const std::string_view place =
      mark == std::string::npos ? std::string_view() : std::string_view(origin).substr(mark + 3);
  if (mark == 0 || place.empty() || !is_visible(origin) ||
      place.find_first_of("/?#@,") != std::string_view::npos)
    return fail(Code::argument,
                "{} is no origin: that is a page's scheme, name and port, such as "
                "https://chat.example or http://localhost:3000, or * for all",
                escaped(given, 80));
  // Browsers leave out the port that everybody expects.
  for (const auto& [scheme, port] : {std::pair("https://", ":443"), std::pair("http://", ":80")})
    if (origin.starts_with(scheme) && origin.ends_with(port))
      origin.resize(origin.size() - std::string_view(port).size());
  allowed.push_back(std::move(origin));
  return {};
}

bool OriginRule::allows(std::string_view origin) const {
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string& one) { return one == "*" || one == origin; });
}

}  // namespace skein::server
