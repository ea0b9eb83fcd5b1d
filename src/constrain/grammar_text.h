// Grammars that are written as text, and what all their languages take.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "constrain/schema.h"

namespace skein::constrain {

struct GrammarOptions {
  size_t most_bytes = 64 * 1024;
  // The id of a token that has a name ("<think>"); where there is none, grammars name no tokens.
  std::function<std::optional<int32_t>(std::string_view name)> token_named;
  SchemaOptions schema;  // of a JSON Schema inside a grammar
};

inline constexpr size_t kMostNesting = 256;

enum class GrammarLanguage { gbnf, lark };

// Whose rules are written `name ::=` is GBNF, anything else Lark.
GrammarLanguage language_of(std::string_view text);

// In the language that it is in.
Checked<Term> add_grammar(Grammar& grammar, std::string_view text,
                          const GrammarOptions& options = {});

}  // namespace skein::constrain
