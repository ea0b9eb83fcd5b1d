// What stands behind a path's question mark.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace skein::server {

// %41 is A; nothing where a percent sign stands before anything else.
std::optional<std::string> without_percents(std::string_view text);
// Of the first parameter of that name: "5" of "limit" in "a=b&limit=5". Nothing: there is none.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace skein::server
