#include "constrain/numbers_terms.h"

#include <algorithm>
#include <array>
#include <vector>

namespace skein::constrain {

NumberTerms::NumberTerms(Terms& terms, uint32_t whole_digits, uint32_t fraction_digits)
    : terms_(terms), whole_digits_(whole_digits) {
  const Term zero = terms.literal("0");
  const Term point = terms.literal(".");
  const Term sign = terms.optional(terms.literal("-"));
  digit_ = terms.byte_range('0', '9');
  nonzero_ = terms.byte_range('1', '9');
  zeros_ = terms.repeat(zero, 0, kUnbounded);
  fraction_ = terms.optional(terms.sequence(point, digits(1, kUnbounded)));
  no_fraction_ = terms.optional(terms.sequence(point, terms.repeat(zero, 1, kUnbounded)));
  const Term whole = terms.either(zero, terms.sequence(nonzero_, digits(0, kUnbounded)));
  magnitude_ = terms.sequence(whole, fraction_);
  positive_ = magnitude_at_least({}, true);

  // There is no -0, but -0.5: its zeros are counted apart, so that no intersection is needed.
  const Term some_fraction = terms.optional(terms.sequence(point, digits(1, fraction_digits)));
  const Term small = terms.sequence(std::array{terms.literal("-0."),
                                               terms.repeat(zero, 0, fraction_digits / 2 - 1),
                                               nonzero_, digits(0, fraction_digits / 2)});
  all_ = terms.either(std::array{
      terms.sequence(zero, some_fraction), small,
      terms.sequence(std::array{sign, nonzero_, digits(0, whole_digits - 1), some_fraction})});
  plain_integers_ =
      terms.either(zero, terms.sequence(std::array{sign, nonzero_, digits(0, whole_digits - 1)}));
  integers_ =
      terms.either(terms.sequence(zero, no_fraction_),
                   terms.sequence(std::array{sign, nonzero_, digits(0, kUnbounded), no_fraction_}));
  const Term any = terms.either(digit_, point);
  precise_ =
      terms.either(plain_integers_, terms.sequence(sign, terms.repeat(any, 1, fraction_digits)));
}

Term NumberTerms::digits_from(int first, int last) {
  if (first > last) return Term::none;
  return terms_.byte_range(static_cast<uint8_t>('0' + first), static_cast<uint8_t>('0' + last));
}

// From the last digit to the first: what is greater here and anything after it, or equal here and
// the rest.
Term NumberTerms::magnitude_at_least(const Decimal& bound, bool strictly) {
  const std::string whole = bound.whole();
  const std::string after = bound.fraction();
  const Term something = terms_.sequence(std::array{zeros_, nonzero_, digits(0, kUnbounded)});
  Term rest;  // after the digits that are equal
  if (after.empty()) {
    rest = strictly ? terms_.sequence(terms_.literal("."), something) : fraction_;
  } else {
    rest = strictly ? something : digits(0, kUnbounded);
    for (size_t i = after.size(); i-- > 0;)
      rest =
          terms_.either(terms_.sequence(digits_from(after[i] - '0' + 1, 9), digits(0, kUnbounded)),
                        terms_.sequence(terms_.literal(after.substr(i, 1)), rest));
    rest = terms_.sequence(terms_.literal("."), rest);
  }
  const auto length = static_cast<uint32_t>(whole.size());
  for (uint32_t i = length; i-- > 0;)
    rest = terms_.either(
        terms_.sequence(std::array{digits_from(whole[i] - '0' + 1, 9),
                                   digits(length - i - 1, length - i - 1), fraction_}),
        terms_.sequence(terms_.literal(whole.substr(i, 1)), rest));
  const Term longer = terms_.sequence(std::array{nonzero_, digits(length, kUnbounded), fraction_});
  return terms_.either(rest, longer);
}

Term NumberTerms::magnitude_at_most(const Decimal& bound, bool strictly) {
  const std::string whole = bound.whole();
  const std::string after = bound.fraction();
  Term rest;
  if (after.empty()) {
    rest = strictly ? Term::none : no_fraction_;
  } else {
    // Fewer digits are less, since the last one of the bound is no zero.
    rest = strictly ? Term::none : zeros_;
    for (size_t i = after.size(); i-- > 0;) {
      rest =
          terms_.either(terms_.sequence(digits_from(0, after[i] - '0' - 1), digits(0, kUnbounded)),
                        terms_.sequence(terms_.literal(after.substr(i, 1)), rest));
      if (i > 0) rest = terms_.optional(rest);
    }
    rest = terms_.optional(terms_.sequence(terms_.literal("."), rest));
  }
  const auto length = static_cast<uint32_t>(whole.size());
  for (uint32_t i = length; i-- > 0;)
    rest = terms_.either(
        terms_.sequence(std::array{digits_from(i == 0 && length > 1 ? 1 : 0, whole[i] - '0' - 1),
                                   digits(length - i - 1, length - i - 1), fraction_}),
        terms_.sequence(terms_.literal(whole.substr(i, 1)), rest));
  if (length == 1) return rest;
  const Term shorter =
      terms_.either(terms_.literal("0"), terms_.sequence(nonzero_, digits(0, length - 2)));
  return terms_.either(rest, terms_.sequence(shorter, fraction_));
}

Term NumberTerms::at_least(const Decimal& bound, bool strictly) {
  if (!bound.negative) return magnitude_at_least(bound, strictly);
  const Term below = terms_.both(magnitude_at_most(bound.magnitude(), strictly), positive_);
  return terms_.either(magnitude_, terms_.sequence(terms_.literal("-"), below));
}

Term NumberTerms::at_most(const Decimal& bound, bool strictly) {
  const Term minus = terms_.literal("-");
  if (bound.negative)
    return terms_.sequence(minus, magnitude_at_least(bound.magnitude(), strictly));
  return terms_.either(magnitude_at_most(bound, strictly), terms_.sequence(minus, positive_));
}

Term NumberTerms::any_of(const std::vector<Decimal>& values) {
  std::vector<std::string> whole;
  std::vector<std::string> broken;
  for (const Decimal& value : values) (value.integer() ? whole : broken).push_back(value.plain());
  return terms_.either(terms_.sequence(terms_.any_of(std::move(whole)), no_fraction_),
                       terms_.sequence(terms_.any_of(std::move(broken)), zeros_));
}

Term NumberTerms::any_of_plain(const std::vector<Decimal>& values) {
  std::vector<std::string> texts;
  for (const Decimal& value : values) texts.push_back(value.plain());
  return terms_.any_of(std::move(texts));
}

// The automaton that keeps the remainder, its loops unrolled as far as a number may be long.
// With m = a / 10^k: the digits, k of them after the point, are a multiple of a.
Term NumberTerms::multiples(const Decimal& of) {
  const int64_t shift = of.point - static_cast<int64_t>(of.digits.size());  // m = digits * 10^shift
  if (of.digits.size() > 6 || shift < -64 || shift > 4096) return Term::none;
  uint64_t a = 0;
  for (const char digit : of.digits) a = a * 10 + static_cast<uint64_t>(digit - '0');
  if (a > kMostRemainders) return Term::none;
  const uint64_t places = shift < 0 ? static_cast<uint64_t>(-shift) : 0;
  // By digits still to come after the point, then by remainder: what may stand from there on.
  std::vector<Term> after(a, Term::none);
  after[0] = zeros_;
  const auto step = [&](const std::vector<Term>& next, uint64_t remainder, int first) {
    std::vector<Term> choices;
    for (int d = first; d < 10; ++d)
      choices.push_back(terms_.sequence(digits_from(d, d),
                                        next[(remainder * 10 + static_cast<uint64_t>(d)) % a]));
    return terms_.either(choices);
  };
  std::vector<Term> fraction = after;  // after the point, where a digit must follow
  if (places == 0) fraction[0] = terms_.repeat(terms_.literal("0"), 1, kUnbounded);
  std::vector<uint64_t> power{1 % a};  // of ten, modulo a
  for (uint64_t k = 0; k < places; ++k) power.push_back(power.back() * 10 % a);
  for (uint64_t left = 1; left <= places; ++left) {
    for (uint64_t r = 0; r < a; ++r) fraction[r] = step(after, r, 0);
    for (uint64_t r = 0; r < a; ++r)
      after[r] = r * power[left] % a == 0 ? terms_.optional(fraction[r]) : fraction[r];
  }
  std::vector<Term> end(a);  // after the last digit before the point
  for (uint64_t r = 0; r < a; ++r) {
    end[r] = terms_.sequence(terms_.literal("."), fraction[r]);
    if (r * power[places] % a == 0) end[r] = terms_.optional(end[r]);
  }
  const auto zeros = static_cast<uint32_t>(std::max<int64_t>(shift, 0));
  const Term tail = terms_.repeat(terms_.literal("0"), zeros, zeros);
  std::vector<Term> whole(a);
  for (uint64_t r = 0; r < a; ++r) whole[r] = terms_.sequence(tail, end[r]);
  if (a == 1) {
    whole[0] = terms_.sequence(digits(0, kUnbounded), whole[0]);
  } else {
    const std::vector<Term> ends = whole;
    for (uint32_t i = 1; i < whole_digits_; ++i) {
      std::vector<Term> longer(a);
      for (uint64_t r = 0; r < a; ++r) longer[r] = terms_.either(ends[r], step(whole, r, 0));
      whole = std::move(longer);
    }
  }
  const Term number = step(whole, 0, 1);
  return terms_.sequence(terms_.optional(terms_.literal("-")),
                         terms_.either(number, terms_.sequence(terms_.literal("0"), end[0])));
}

}  // namespace skein::constrain
