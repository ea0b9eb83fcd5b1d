// A list of texts, one of which is the answer.
#pragma once

#include <span>
#include <string>

#include "constrain/grammar.h"

namespace skein::constrain {

// At most 10,000 texts of 1 MiB together; none is empty. One may be the beginning of another: both
// are reachable. `where` of a problem is the number of the text in brackets, from [0].
Checked<Term> add_choices(Grammar& grammar, std::span<const std::string> choices);

}  // namespace skein::constrain
