#include "run/held_answer.h"

#include <utility>

namespace skein {

constrain::Beginning beginning_of(const text::Profile& profile, std::string opening, bool free) {
  // A model that thinks may begin to.
  const bool may_think = opening.empty() && profile.think_modes.size() > 1 && !free;
  return {.opening = std::move(opening),
          .may_think = may_think,
          .blank = profile.has_template() && !profile.has_turn_tokens()};
}

void end_as_turn(const text::Profile& profile, const text::Tokenizer& tokenizer,
                 GenerateOptions& options) {
  options.stops.policy = text::StopPolicy::none;
  if (profile.has_turn_tokens()) return;
  if (const auto line = tokenizer.encode("\n\n"); line && line->size() == 1)
    options.ends.push_back(line->front());
}

}  // namespace skein
