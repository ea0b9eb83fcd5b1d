// Grammars in Lark's language, as far as they describe texts: what shapes trees (?name, !name,
// -> alias) is read and makes no difference.
#pragma once

#include "constrain/grammar_text.h"

namespace skein::constrain {

// The text of the rule `start`. Every text that can be derived is allowed: there is no lexer that
// would take the longest terminal first. What is ignored may stand between terminals, neither
// before the first nor behind the last. `where` of a problem is line:column.
Checked<Term> add_lark(Grammar& grammar, std::string_view text, const GrammarOptions& options = {});

}  // namespace skein::constrain
