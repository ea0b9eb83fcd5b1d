// What bodies and queries may say of a state that is made, changed or moved to. A field that some
// of these routes know, and the one that is asked does not, is refused by its name: to ignore it
// would lose what somebody counts on.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "server/fields.h"

namespace skein::server {

struct Wishes {
  std::string name{};
  bool unnamed = false;  // the name was given as null
  std::optional<bool> pinned{};
  std::optional<int64_t> ttl_ms{};
  std::optional<std::string> kind{};
};
// `name`, `pinned` (or `pin`), `ttl` (seconds), `kind`.
Wishes read_wishes(Fields& fields);
// The same of a file's query.
Asked<Wishes> read_wishes(std::string_view query);
// Refuses those fields of any state route that are given and are not among `meant`. `route`: what
// they mean nothing to, "a fork".
void refuse_unmeant(Fields& fields, std::string_view route,
                    std::initializer_list<std::string_view> meant);

}  // namespace skein::server
