// The core of KBNF, the language of Ai00's grammars.
#pragma once

#include "constrain/grammar_text.h"

namespace skein::constrain {

// The text of the rule `start`. A grammar whose text could go on does not end by itself where it
// could end. `where` of a problem is line:column.
Checked<Term> add_kbnf(Grammar& grammar, std::string_view text, const GrammarOptions& options = {});

}  // namespace skein::constrain
