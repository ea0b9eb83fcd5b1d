// Bytes as letters.
#pragma once

#include <string>
#include <string_view>

namespace skein {

// As RFC 4648 has it, with = at the end.
std::string base64_text(std::string_view bytes);
inline size_t base64_size(size_t bytes) { return (bytes + 2) / 3 * 4; }

}  // namespace skein
