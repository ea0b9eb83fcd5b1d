// Regular expressions as terms. Two dialects: RE2's syntax, which whoever sends a pattern of its
// own writes, and ECMA-262's, which JSON Schema's `pattern` is in. What a finite automaton cannot
// do (backreferences), and looking around, is refused with its place.
#pragma once

#include <string_view>

#include "constrain/char_set.h"
#include "constrain/grammar.h"

namespace skein::constrain {

enum class RegexDialect { re2, ecma };

struct RegexOptions {
  // (?i), (?s) and (?m) from the start, where the flags stand outside the pattern.
  bool ignore_case = false;
  bool dot_all = false;
  bool multi_line = false;
  // Whether a text is allowed that has a match anywhere; else the whole text has to match.
  bool search = false;
  // *? and its like, which mean the same texts as * where a whole text has to match.
  bool allow_lazy = true;
  // How the characters are written that the pattern speaks of.
  Spelling spelling = plain_spelling;
  size_t most_bytes = 1024;
};

inline constexpr uint32_t kMostRepetitions = 1'000'000;

// `where` of a problem is line:column in the pattern. A pattern that matches nothing at all, as
// `a^b`, gives Term::none.
Checked<Term> add_regex(Grammar& grammar, std::string_view pattern, RegexDialect dialect,
                        const RegexOptions& options = {});

}  // namespace skein::constrain
