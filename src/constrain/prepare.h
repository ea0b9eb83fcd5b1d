// A grammar made ready to be run: what cannot be used is gone, and what a run would have to find
// out again and again is said.
//
// * Only what the root reaches is left, in terms of its own.
// * Rules that allow the empty text are called as "this or nothing", so that a call always reads a
//   byte: no frame is left where it was entered, and repetitions of such calls need no care.
// * Regular rules that do not call themselves stand where they were called, as long as that is
// short.
// * Whatever allows no text is none: rules that never end, intersections that are empty.
// * Bytes that the vocabulary cannot write alone are in no set, so that what is alive can be
// written.
#pragma once

#include <cstdint>
#include <vector>

#include "constrain/grammar.h"

namespace skein::constrain {

// How deep calls have to nest at least. A call at the end of a rule nests nothing (automaton.h).
struct Need {
  uint16_t at_end = 0;  // where nothing follows
  uint16_t inside = 0;  // where something does
};
inline constexpr uint16_t kImpossible = 0xffff;

struct Prepared {
  Terms terms{Grammar::kMostTerms};
  std::vector<Term> rules;
  std::vector<uint16_t> rule_needs;  // Need::at_end of each rule
  Term root = Term::none;
};

// `writable`: the bytes that texts may consist of. Problems: unsatisfiable, constraint_too_large.
Checked<Prepared> prepare(Grammar&& grammar, const ByteSet& writable);

}  // namespace skein::constrain
