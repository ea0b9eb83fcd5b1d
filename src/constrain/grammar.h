// A grammar: terms, and the rules that they call. Front ends (schema.h, regex.h, gbnf.h ...) add
// what they read to one and hand back its term, so that languages can stand inside each other.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "constrain/term.h"

namespace skein::constrain {

// What is wrong with a constraint. `code` is the API's: invalid_schema, unsupported_keyword,
// unsatisfiable, invalid_grammar, invalid_regex, constraint_too_large, constraint_conflict.
struct Problem {
  std::string code;
  std::string where;    // a JSON pointer of a schema ("#/properties/a/oneOf"), or "line:column"
  std::string message;  // a sentence: what is wrong and, if known, what to write instead
};
using Problems = std::vector<Problem>;  // at most kMostProblems
inline constexpr size_t kMostProblems = 10;

template <typename T>
using Checked = tl::expected<T, Problems>;

struct Grammar {
  // What a grammar may grow to before constraint_too_large.
  static constexpr size_t kMostTerms = 1'000'000;
  static constexpr size_t kMostRules = 50'000;

  Terms terms{kMostTerms};
  std::vector<Term> rules;  // by number; Term::none until it is known
  Term root = Term::none;

  // A rule whose body is set later: rules[rule] = ...
  uint32_t add_rule() {
    rules.push_back(Term::none);
    return static_cast<uint32_t>(rules.size() - 1);
  }
};

}  // namespace skein::constrain
