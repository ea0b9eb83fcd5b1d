// The one definition of well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at most
// U+10FFFF).
#pragma once

#include <cstddef>
#include <string_view>

namespace skein {

// Bytes of the character that `bytes` begins with, 0 if it begins with none.
size_t utf8_length(std::string_view bytes);

// Whether `bytes` is the beginning of a character that more bytes could complete.
bool utf8_incomplete(std::string_view bytes);

}  // namespace skein
