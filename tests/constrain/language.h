// What a grammar's text allows, and what is said of one that is wrong, whatever language it is in.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "constrain/earley.h"
#include "constrain/grammar_text.h"

namespace skein::constrain {

// "code place what is wrong"; "" where nothing is.
inline std::string refusal_of(const Checked<Term>& term) {
  if (term) return "";
  const Problem& problem = term.error().at(0);
  return problem.code + " " + problem.where + " " + problem.message;
}

template <auto Add>
struct LanguageOf {
  explicit LanguageOf(std::string_view text, const GrammarOptions& options = {})
      : term(Add(grammar, text, options)) {}

  bool allows(std::string_view text) { return term && Earley(grammar).allows(*term, text); }
  std::string refusal() const { return refusal_of(term); }

  Grammar grammar;
  Checked<Term> term;
};

}  // namespace skein::constrain
