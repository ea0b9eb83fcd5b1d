// Words, as the 20B tokenizer cuts them before merging. Private to src/text.
#pragma once

#include <cstddef>
#include <string_view>

namespace skein::text {

// Bytes of the first word of `rest`, which is valid UTF-8 and not empty: what this pattern matches
// at its beginning, first alternative first:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// Written by hand because a regular expression engine that recurses per character dies of long
// words.
size_t first_word(std::string_view rest);

}  // namespace skein::text
