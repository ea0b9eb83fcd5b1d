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

bool HostRule::allows(const std::string& host) const {
  if (any_name || host == "localhost" || host == "[::1]") return true;
  const auto is_number = [](char c) { return (c >= '0' && c <= '9') || c == '.'; };
  const bool address = host.starts_with('[') || std::all_of(host.begin(), host.end(), is_number);
  if (address && (any_address || host.starts_with("127."))) return true;
  return std::find(allowed.begin(), allowed.end(), host) != allowed.end();
}

bool OriginRule::allows(std::string_view origin) const {
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string& one) { return one == "*" || one == origin; });
}

}  // namespace skein::server
