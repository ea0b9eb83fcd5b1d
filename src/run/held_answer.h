// An answer of a conversation that is held to a form: what may stand before it, and where it ends.
#pragma once

#include <string>

#include "constrain/wanted.h"
#include "run/generate.h"
#include "text/profile.h"

namespace skein {

// Of a turn that begins with `opening` (text::Turn).
constrain::Beginning beginning_of(const text::Profile& profile, std::string opening,
                                  const constrain::Wanted& wanted);

// It is cut by nothing but its form and what the caller stops at, ends where the model would end
// its turn, and is shown with the blanks that are its own. `options` has the turn's stops.
void end_as_turn(const text::Profile& profile, const text::Tokenizer& tokenizer,
                 const constrain::Wanted& wanted, GenerateOptions& options);

}  // namespace skein
