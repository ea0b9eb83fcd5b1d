// Words, as byte pair vocabularies want a text to be cut before merging: one row for each way.
// Private to src/text.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace skein::text {

struct Splitter {
  std::string_view name;     // of the tokenizers that cut so
  std::string_view pattern;  // the regular expression that says it, as tokenizer.json writes it
  std::span<const std::string_view> gguf_names;  // what tokenizer.ggml.pre calls it
  bool blank_line_is_two = false;                // SpecialTokens::blank_line_is_two

  // Bytes of the first word of `rest`, which is valid UTF-8 and not empty: what the pattern matches
  // at its beginning, first alternative first. A few looks at every character, however long a run
  // is; a general engine would go back over long runs again and again, or recurse.
  size_t (*first_word)(std::string_view rest) = nullptr;
};

std::span<const Splitter> splitters();
const Splitter* splitter_by_pattern(std::string_view pattern);
const Splitter* splitter_by_gguf_name(std::string_view name);

// The pattern that the ByteLevel pre-tokenizer has by itself.
const Splitter& byte_level_splitter();

}  // namespace skein::text
