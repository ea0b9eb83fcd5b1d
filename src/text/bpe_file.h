// What a file says of a byte pair vocabulary, checked. Private to src/text.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "text/bpe_merge.h"
#include "text/split.h"
#include "text/tokenizer.h"

namespace skein::text {

// As the file writes it; the texts belong to the file.
struct BpeSource {
  struct Token {
    std::string_view text;  // in the GPT-2 alphabet
    int32_t id = 0;         // in [0, limits::kVocab), each id once
  };
  // Cut out of a text before it is split into words.
  struct Added {
    std::string_view text;  // literally
    int32_t id = 0;
    bool special = false;     // marks structure and has no text of its own
    bool normalized = false;  // cut out after normalization instead of before
  };

  const Splitter* splitter = nullptr;
  std::vector<Token> vocab;
  std::vector<Added> added;
  std::vector<std::pair<std::string_view, std::string_view>> merges;  // in order of rank
  std::vector<int32_t> ends;  // what the file says beyond the names that are known

  // What messages call the three.
  std::string_view vocab_name, added_name, merges_name;
};

struct BpeFile {
  struct Token {
    int32_t id = 0;
    std::string bytes;
  };
  struct Added {
    int32_t id = 0;
    std::string text;
    bool special = false;
    bool normalized = false;
  };

  const Splitter* splitter = nullptr;
  std::vector<Token> tokens;  // ascending ids, without the special ones
  std::vector<Added> added;
  std::vector<Merge> merges;            // in order of rank
  std::array<int32_t, 256> byte_ids{};  // -1: the byte occurs in no UTF-8
  int32_t size = 0;                     // one above the largest id
  SpecialTokens special;
};

// Errors: corrupt; without the file's name.
Result<BpeFile> check_bpe(BpeSource source);

// Adds "left right" to `out`. Error: corrupt, naming the element.
Status add_merge(std::string_view text, BpeSource& out);

// "20B or Qwen2", for messages.
std::string splitter_names();

// Whether a token that is cut out of the text marks structure by its looks: "<|fim_prefix|>".
bool looks_special(std::string_view text);

// Errors of both: corrupt, unsupported; without the file's name.
Result<BpeFile> read_bpe_json(const Json& root);
Result<BpeFile> read_bpe_metadata(const BpeMetadata& metadata);

}  // namespace skein::text
