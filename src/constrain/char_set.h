// A set of characters, and how characters are written in the text that is being constrained.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "constrain/term.h"

namespace skein::constrain {

inline constexpr uint32_t kLastCharacter = 0x10ffff;

// Code points but no surrogates. What is read is sorted, without overlap or neighbours that touch.
class CharSet {
 public:
  CharSet() = default;
  CharSet(uint32_t first, uint32_t last) { add(first, last); }
  static CharSet all() { return CharSet(0, kLastCharacter); }

  void add(uint32_t character) { add(character, character); }
  void add(uint32_t first, uint32_t last);  // both belong to it
  void add(const CharSet& other);
  void add_other_cases();
  void negate();
  void keep(const CharSet& other);  // what is in both

  std::span<const Terms::Range> ranges() const;
  bool empty() const { return ranges().empty(); }
  bool operator<(const CharSet& other) const;

 private:
  void tidy() const;

  mutable std::vector<Terms::Range> ranges_;
  mutable bool tidy_ = true;
};

// How one character of a set is written.
using Spelling = Term (*)(Terms& terms, std::span<const Terms::Range> ranges);

// As itself.
Term plain_spelling(Terms& terms, std::span<const Terms::Range> ranges);

// As inside a JSON string: \" \\ \n \r \t \b \f, \u00XX for the other controls, others as they are.
Term json_spelling(Terms& terms, std::span<const Terms::Range> ranges);

}  // namespace skein::constrain
