// Patterns over tensor names: * for any run of characters, ? for any one, everything else for
// itself. No classes and no escapes, since names have neither.
#pragma once

#include <string_view>

namespace skein::arch {

// Whether the whole of `name` matches. At most one step for each pair of characters of the two, and
// no recursion, whatever the pattern.
bool glob_matches(std::string_view pattern, std::string_view name);

}  // namespace skein::arch
