// The tokenizer and the profile of a model whose weights are not needed: what tokenize, detokenize
// and template work with.
#pragma once

#include <string>

#include "base/error.h"
#include "text/profile.h"
#include "text/tokenizer.h"

namespace skein::cli {

struct TextTools {
  text::TokenizerPtr tokenizer;
  const text::Profile* profile = nullptr;  // the model's own; nullptr without a model
};

// Of `model`, or for an empty path of the vocabulary file `vocab` alone. Errors: those of reading
// either; argument (both empty).
Result<TextTools> open_text(const std::string& model, const std::string& vocab);

}  // namespace skein::cli
