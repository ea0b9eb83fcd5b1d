// What byte pair tokenizers, terminals and regular expressions need to know of Unicode, and the
// writing of characters as UTF-8.
// unicode.cpp is the one file that knows utf8proc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace skein::text {

// The classes that the split pattern tells apart: \p{L}, \p{N}, White_Space, the rest.
enum class CharClass : uint8_t { letter, number, space, other };

CharClass char_class(char32_t character);

struct Character {
  char32_t code = 0;
  size_t length = 0;  // 0: no well-formed character begins here
};

// The character that `bytes` begins with.
Character first_character(std::string_view bytes);

// Whether Python's repr writes it as it is: no control or format character, no private or
// unassigned one, no separator but the blank.
bool is_printable(char32_t character);

// Its general category by Unicode's two letters: "Lu", "Nd", "Cn".
const char* general_category(char32_t character);

// Its other form, or itself. One character always becomes one.
char32_t simple_upper(char32_t character);
char32_t simple_lower(char32_t character);

// How many columns of a terminal it takes: 0 for what joins the character before it, 2 for wide
// ones.
int columns_of(char32_t character);

// How many bytes the first user-perceived character takes, with all that joins it: marks, parts of
// an emoji, the second half of a flag. At least 1; a byte that is not UTF-8 stands alone.
size_t first_cluster(std::string_view bytes);

// `code` must be a Unicode scalar value.
void append_utf8(std::string& out, char32_t code);

// The offset of the first byte that is not well-formed UTF-8, or npos.
size_t first_invalid_utf8(std::string_view bytes);

// Normalization form C of valid UTF-8, in O(n log n) whatever the combining marks.
Result<std::string> to_nfc(std::string_view text);

}  // namespace skein::text
