// The terminals of Lark's module `common`.
#pragma once

#include <optional>
#include <string_view>

namespace skein::constrain {

// As a regular expression of RE2's syntax.
std::optional<std::string_view> lark_common(std::string_view name);

}  // namespace skein::constrain
