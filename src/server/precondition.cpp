#include "server/precondition.h"

#include <charconv>

namespace skein::server {
namespace {

// As ETag says it, with or without the quotes.
std::optional<uint64_t> version_in(std::string_view text) {
  if (text.size() > 2 && text.starts_with('"') && text.ends_with('"'))
    text = text.substr(1, text.size() - 2);
  uint64_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return version;
}

}  // namespace

Asked<Precondition> precondition_of(const Head& head) {
  const std::string* const match = head.find("if-match");
  const std::string* const none = head.find("if-none-match");
  if (match && none) return refused("If-Match and If-None-Match ask for two things", "If-Match");
  if (none && *none != "*")
    return refused("If-None-Match has to be *: that there is no such session yet", "If-None-Match");
  if (none) return Precondition{.given = true, .version = 0};
  if (!match) return Precondition{};
  if (*match == "*") return Precondition{.given = true, .version = std::nullopt};
  const auto version = version_in(*match);
  if (!version) return refused("If-Match has to be the version that ETag said: \"3\"", "If-Match");
  return Precondition{.given = true, .version = version};
}

Asked<void> check(const Precondition& wanted, std::string_view session, uint64_t version) {
  if (!wanted.given || (wanted.version ? *wanted.version == version : version > 0)) return {};
  const std::string asked = !wanted.version        ? "any"
                            : *wanted.version == 0 ? "none"
                                                   : fmt::format("version {}", *wanted.version);
  const std::string there =
      version == 0 ? "does not exist" : fmt::format("has version {}", version);
  return tl::unexpected(
      ApiError{.status = 409,
               .message = fmt::format("session {} {}, and the request was made for {}",
                                      escaped(session, 80), there, asked),
               .param = "session",
               .code = "turn_conflict",
               .may_retry = false});
}

}  // namespace skein::server
