#include "run/held_answer.h"

#include <utility>

namespace skein {

constrain::Beginning beginning_of(const text::Profile& profile, std::string opening,
                                  const constrain::Wanted& wanted) {
  const bool exact = wanted.has_own_blanks();
  // A model that thinks may begin to, where that cannot be taken for the answer.
  const bool may_think = opening.empty() && profile.think_modes.size() > 1 && !exact &&
                         wanted.language != constrain::Language::any_text;
  return {.opening = std::move(opening),
          .may_think = may_think,
          .blank = profile.has_template() && !profile.has_turn_tokens() && !exact,
          .lines = !exact};
}

void end_as_turn(const text::Profile& profile, const text::Tokenizer& tokenizer,
                 const constrain::Wanted& wanted, GenerateOptions& options) {
  options.stops.policy = text::StopPolicy::none;
  if (wanted.has_own_blanks()) {
    options.stops.keeps_blanks = true;
    // What looks like a thought in it is none.
    if (options.stops.opening.empty()) options.stops.chat = false;
  }
  if (profile.has_turn_tokens()) return;
  if (const auto line = tokenizer.encode("\n\n"); line && line->size() == 1)
    options.ends.push_back(line->front());
}

}  // namespace skein
