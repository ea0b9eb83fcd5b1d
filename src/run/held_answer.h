// An answer of a conversation that is held to a form: what may stand before it, and where it ends.
#pragma once

#include <string>

#include "constrain/answer.h"
#include "run/generate.h"
#include "text/profile.h"

namespace skein {

// Of a turn that begins with `opening` (text::Turn). `free`: the answer may be any text anyway, so
// that a thought needs no place of its own.
constrain::Beginning beginning_of(const text::Profile& profile, std::string opening, bool free);

// It is cut by nothing but its form and what the caller stops at, and ends where the model would
// end its turn.
void end_as_turn(const text::Profile& profile, const text::Tokenizer& tokenizer,
                 GenerateOptions& options);

}  // namespace skein
