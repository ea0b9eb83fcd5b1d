// Regular expressions whose parts ask where they stand: ^ and $ in the middle, (?m), \b and \B.
//
// A place between two characters is known by their classes: what may be asked of them, and whether
// there is none since the text begins or ends. For each part and each pair of classes around it a
// table has the texts that it matches there, sorted by the class of their first and last character,
// so that the table of a sequence follows from those of its parts. Exact, and without looking
// around.
#pragma once

#include "constrain/regex_syntax.h"

namespace skein::constrain::regex {

Term spelled(Terms& terms, const RegexOptions& options, const CharSet& set);

Checked<Term> with_places(Terms& terms, const Syntax& syntax, const RegexOptions& options);

}  // namespace skein::constrain::regex
