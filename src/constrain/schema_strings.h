// Texts as JSON strings spell them, without their quotation marks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "constrain/char_set.h"
#include "constrain/grammar.h"

namespace skein::constrain {

class StringTerms {
 public:
  StringTerms(Terms& terms, bool unicode_escapes);

  Spelling spelling() const { return spelling_; }
  // Every string.
  Term all() const { return all_; }
  // Those of so many characters.
  Term length(uint64_t min, uint64_t max);
  // One that is the same as this when it is read.
  Term exactly(std::string_view text);
  Term any_of(const std::vector<std::string_view>& texts);

  // In the one spelling that has no needless escape.
  static std::string spelled(std::string_view text);

 private:
  Terms& terms_;
  bool unicode_escapes_;
  Spelling spelling_;
  Term character_;
  Term all_;
};

// As json_spelling(), or as \uXXXX or two of them.
Term escaped_json_spelling(Terms& terms, std::span<const Terms::Range> ranges);

}  // namespace skein::constrain
