// Sets of numbers as terms. A number is written without exponent and never as -0; a fraction may
// end in zeros, so that 19.90 can be written, and a set that has a value has it in each of its
// spellings: sets can be intersected and complemented as sets of texts.
#pragma once

#include <vector>

#include "constrain/numbers_decimal.h"
#include "constrain/term.h"

namespace skein::constrain {

class NumberTerms {
 public:
  // The most digits before and after the point that may be written.
  NumberTerms(Terms& terms, uint32_t whole_digits, uint32_t fraction_digits);

  // Every number that may be written. The others below are not cut to it.
  Term all() const { return all_; }
  // The values without a fraction, among them 1.0.
  Term integers() const { return integers_; }
  // Those spellings of them that have no point.
  Term plain_integers() const { return plain_integers_; }
  // The spellings of at most this many digits and a point, if there is one. Decimals of up to 15
  // digits have the same order as the doubles nearest to them, so that readers with doubles agree.
  Term precise() const { return precise_; }

  Term at_least(const Decimal& bound, bool strictly);
  Term at_most(const Decimal& bound, bool strictly);
  Term any_of(const std::vector<Decimal>& values);
  Term any_of_plain(const std::vector<Decimal>& values);  // in the shortest spelling alone
  // `of` is above 0. Term::none where its automaton would be too large (kMostRemainders).
  static constexpr uint64_t kMostRemainders = 2'000;
  Term multiples(const Decimal& of);

 private:
  Term magnitude_at_least(const Decimal& bound, bool strictly);
  Term magnitude_at_most(const Decimal& bound, bool strictly);
  Term digits(uint32_t min, uint32_t max) { return terms_.repeat(digit_, min, max); }
  Term digits_from(int first, int last);  // one digit; none if first > last

  Terms& terms_;
  uint32_t whole_digits_;
  Term digit_;
  Term nonzero_;
  Term zeros_;        // any number of them
  Term fraction_;     // any or none, with its point
  Term no_fraction_;  // none, or one of zeros
  Term positive_;
  Term magnitude_;
  Term all_;
  Term integers_;
  Term plain_integers_;
  Term precise_;
};

}  // namespace skein::constrain
