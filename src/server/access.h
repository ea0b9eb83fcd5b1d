// Who may ask for what: keys with roles, the names that this server answers to, and the pages whose
// scripts may talk to it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "server/api_error.h"

namespace skein::server {

// Each may do what those before it may. `open` needs no key.
enum class Role : uint8_t { open, read, generate, state, admin };
std::string_view role_name(Role role);

// Only digests are kept, and comparing takes as long whichever key comes.
class Keys {
 public:
  // "KEY", which may do everything, or "ROLE:KEY". Error: argument (no key, or one that no header
  // can carry).
  Status add(std::string_view key);
  // A key a line; empty lines and those that begin with # do not count.
  Status add_lines(std::string_view text);
  bool empty() const { return keys_.empty(); }
  size_t size() const { return keys_.size(); }
  // The role of a request's key; nothing: it has none, or one that is not known.
  std::optional<Role> role_of(const Head& head) const;
  // Whose texts and states a request sees: those of its key. Without keys all are one.
  Digest tenant_of(const Head& head) const;

 private:
  struct Key {
    Digest digest{};
    Role role = Role::open;
  };
  std::vector<Key> keys_;
};

// A page elsewhere can make a browser send requests to this machine; its own name stands in Host.
struct HostRule {
  std::vector<std::string> allowed;  // beside this machine's own names
  // A name as people write it, also with a port, which does not count. Error: argument.
  Status add(std::string_view name);
  bool any_name = false;     // keys protect it
  bool any_address = false;  // listens elsewhere than on this machine
  // A name in small letters, or an address.
  bool allows(const std::string& host) const;
};

struct OriginRule {
  std::vector<std::string> allowed;  // "https://chat.example", or "*"
  // As people write it: made what a browser sends. Error: argument (nothing that one sends).
  Status add(std::string_view origin);
  bool allows(std::string_view origin) const;
};

}  // namespace skein::server
