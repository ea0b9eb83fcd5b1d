// llama.cpp's GBNF. Left recursion is legal, and counts are exact whatever their size.
#pragma once

#include "constrain/grammar_text.h"

namespace skein::constrain {

// The text of the rule `root`. `where` of a problem is line:column.
Checked<Term> add_gbnf(Grammar& grammar, std::string_view text, const GrammarOptions& options = {});

}  // namespace skein::constrain
