// Texts that are allowed, as expressions: byte sets, sequences, choices, repetitions, intersections,
// complements, and calls of rules, which make them as strong as any context-free grammar.
//
// A term is a number that stands for the set of byte strings it allows. Equal expressions have equal
// numbers, since every operation looks for what it would make among what there is. Reading a byte is
// taking a derivative: next(t, b) allows exactly the rests of those strings of t that begin with b
// (Brzozowski 1964; Owens, Reppy and Turon 2009). So the states of an automaton are terms, made when
// they are first met; a repetition of 1 to 1,000,000 is one term with two numbers in it and never a
// million states; and intersection and complement cost nothing special.
//
// Calls are not derived here: next() treats them as what no byte can enter, and calls() says which
// of them can be entered now and what follows each (automaton.h).
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"

namespace skein::constrain {

using ByteSet = std::bitset<256>;

enum class Term : uint32_t {
  none = 0,   // no text at all
  empty = 1,  // the text without bytes
};

inline constexpr uint32_t kUnbounded = std::numeric_limits<uint32_t>::max();

class Terms {
 public:
  // At most `limit` terms; over it every operation gives Term::none and full() is true.
  explicit Terms(size_t limit);

  // One byte of those. An empty set is Term::none.
  Term bytes(const ByteSet& set);
  Term byte_range(uint8_t first, uint8_t last);  // both included
  Term literal(std::string_view text);
  // One character of those, as UTF-8. Ranges are of code points, both ends included, in any order;
  // surrogates are left out.
  struct Range {
    uint32_t first = 0;
    uint32_t last = 0;
  };
  Term characters(std::span<const Range> ranges);
  Term any_character();  // any code point that is none of the surrogates
  Term any_byte();

  Term sequence(Term first, Term then);
  Term sequence(std::span<const Term> parts);
  Term either(Term a, Term b);
  Term either(std::span<const Term> choices);
  // min <= max, or max == kUnbounded.
  Term repeat(Term what, uint32_t min, uint32_t max);
  Term optional(Term what) { return either(what, Term::empty); }
  // Of many texts, without a term for each of their combinations: a trie.
  Term any_of(std::vector<std::string> texts);

  // Of regular terms only (see regular()).
  Term both(Term a, Term b);
  Term except(Term what);  // every byte string that `what` does not allow
  Term without(Term a, Term b) { return both(a, except(b)); }

  // Whatever the rule of this number allows (grammar.h).
  Term call(uint32_t rule);
  // A token by its id, of `ids` or, if `other`, any that is not one of them. Tokens with no text and
  // tokens that a grammar names; no byte enters it.
  Term tokens(std::span<const int32_t> ids, bool other = false);

  // Whether it has neither calls nor tokens.
  bool regular(Term t) const;
  // Whether it allows the text without bytes, where calls count as if they did not.
  bool nullable(Term t) const;
  Term next(Term t, uint8_t byte);

  // A call (or token set) that stands where reading goes on, and what follows it.
  struct Entry {
    Term head;
    Term tail;
  };
  std::vector<Entry> entries(Term t);

  // Whether a regular term allows no text; nullopt if `budget` derivatives did not tell. Remembered.
  std::optional<bool> is_none(Term t, size_t budget = 20'000);
  // Whether two regular terms have no text in common. As is_none().
  std::optional<bool> disjoint(Term a, Term b, size_t budget = 20'000);
  // A text of a regular term, one of the shortest; for messages. nullopt: none, or not found.
  std::optional<std::string> example(Term t, size_t budget = 20'000);
  // Whether the whole text is allowed; for regular terms.
  bool matches(Term t, std::string_view text);

  size_t size() const;
  bool full() const;
};

}  // namespace skein::constrain
