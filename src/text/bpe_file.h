// What 20B_tokenizer.json says, checked. Private to src/text.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/bpe_merge.h"

namespace skein::text {

struct BpeFile {
  struct Token {
    int32_t id = 0;
    std::string bytes;
  };
  struct Added {
    int32_t id = 0;
    std::string text;
    bool special = false;     // marks structure and has no text of its own
    bool normalized = false;  // cut out after normalization instead of before
  };

  std::vector<Token> tokens;  // ascending ids, without the special ones
  std::vector<Added> added;
  std::vector<Merge> merges;            // in order of rank
  std::array<int32_t, 256> byte_ids{};  // -1: the byte occurs in no UTF-8
  int32_t size = 0;                     // one above the largest id
};

// Errors: corrupt, unsupported; without the file's name.
Result<BpeFile> read_bpe_file(const Json& root);

}  // namespace skein::text
