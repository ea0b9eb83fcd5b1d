// The World tokenizer from a list of tokens, whatever file they came from. Private to src/text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace skein::text {

// Heads of World models have 65,536 rows.
inline constexpr int32_t kWorldIds = 65536;

// Collects tokens and checks each; the messages say what is wrong with a token, and the caller puts
// the place before them.
class WorldTokens {
 public:
  // Errors: corrupt.
  Status add(int64_t id, std::string_view bytes);
  // Of a file that could be cut between two tokens: whether it is the beginning of the World
  // vocabulary and no more. Vocabularies of other tokens are none of its business. Error: corrupt.
  Status check_not_cut() const;
  Result<TokenizerPtr> finish() &&;

 private:
  struct Token {
    uint32_t begin = 0, length = 0;  // in pool_; length 0: no token has this id
  };
  std::string pool_;
  std::vector<Token> tokens_;  // by id
};

}  // namespace skein::text
