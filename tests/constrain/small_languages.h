// Languages told by counting: every text of at most five letters of three, as a set of bits, and
// random terms beside what they have to mean.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bitset>
#include <random>
#include <string>
#include <vector>

#include "constrain/term.h"

namespace skein::constrain::test {

inline constexpr size_t kLongest = 5;
inline constexpr size_t kTexts = 1 + 3 + 9 + 27 + 81 + 243;
using Language = std::bitset<kTexts>;

// All of them, the shortest first.
inline const std::vector<std::string>& texts() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> out{""};
    for (size_t at = 0; out.size() < kTexts; ++at)
      for (const char c : {'a', 'b', 'c'}) out.push_back(out[at] + c);
    return out;
  }();
  return all;
}

inline size_t number_of(std::string_view text) {
  size_t number = 0;
  for (const char c : text) number = 3 * number + static_cast<size_t>(c - 'a') + 1;
  return number;
}

inline Language concatenated(const Language& a, const Language& b) {
  Language out;
  for (size_t i = 0; i < kTexts; ++i) {
    if (!a[i]) continue;
    for (size_t j = 0; j < kTexts && texts()[i].size() + texts()[j].size() <= kLongest; ++j)
      if (b[j]) out.set(number_of(texts()[i] + texts()[j]));
  }
  return out;
}

inline Language repeated(const Language& what, uint32_t min, uint32_t max) {
  Language power, out;
  power.set(0);
  // From the sixth on, powers are of texts that are too long or the same again.
  const uint32_t end = std::min<uint32_t>(max, std::min<uint32_t>(min, 12) + 12);
  for (uint32_t n = 0; n <= end; ++n) {
    if (n >= std::min<uint32_t>(min, 12)) out |= power;
    power = concatenated(power, what);
  }
  return out;
}

struct Meant {
  Term term;
  Language language;
};

class RandomTerms {
 public:
  RandomTerms(Terms& terms, uint32_t seed) : terms_(terms), random_(seed) {}

  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(random_() % bound); }

  Meant leaf() {
    Meant out{Term::empty, {}};
    const uint32_t kind = below(8);
    if (kind == 0) {
      out.language.set(0);
    } else if (kind == 1) {
      std::vector<std::string> some;
      for (uint32_t n = 1 + below(3); n > 0; --n) some.push_back(texts()[below(40)]);
      for (const std::string& text : some) out.language.set(number_of(text));
      out.term = terms_.any_of(some);
    } else if (kind == 2) {
      const std::string& text = texts()[below(120)];
      out.language.set(number_of(text));
      out.term = terms_.literal(text);
    } else {
      ByteSet set;
      for (const char c : {'a', 'b', 'c'})
        if (below(2) == 0) {
          set.set(static_cast<size_t>(c));
          out.language.set(number_of(std::string(1, c)));
        }
      out.term = terms_.bytes(set);
    }
    return out;
  }

  // `logic`: intersections and complements too.
  Meant tree(int size, bool logic = true) {
    if (size <= 1) return leaf();
    const int left = 1 + static_cast<int>(below(static_cast<uint32_t>(size) - 1));
    switch (below(logic ? 8 : 5)) {
      case 0:
      case 1: {
        const Meant a = tree(left, logic), b = tree(size - left, logic);
        return {terms_.sequence(a.term, b.term), concatenated(a.language, b.language)};
      }
      case 2:
      case 3: {
        const Meant a = tree(left, logic), b = tree(size - left, logic);
        return {terms_.either(a.term, b.term), a.language | b.language};
      }
      case 4:
      case 5: {
        const Meant a = tree(size - 1, logic);
        const uint32_t min = below(4);
        const uint32_t max = below(3) == 0 ? kUnbounded : min + below(3);
        return {terms_.repeat(a.term, min, max), repeated(a.language, min, max)};
      }
      case 6: {
        const Meant a = tree(left, logic), b = tree(size - left, logic);
        return {terms_.both(a.term, b.term), a.language & b.language};
      }
      default: {
        const Meant a = tree(size - 1, logic);
        return {terms_.except(a.term), ~a.language};
      }
    }
  }

 private:
  Terms& terms_;
  std::mt19937 random_;
};

}  // namespace skein::constrain::test
