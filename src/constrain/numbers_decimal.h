// Numbers as JSON writes them, of any size, exactly.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skein::constrain {

// 0.DIGITS times ten to `point`, where digits neither begin nor end with 0; none of them: zero.
struct Decimal {
  bool negative = false;
  std::string digits;
  int64_t point = 0;

  // Of a number that JSON allows. Exponents are cut at a thousand million.
  static Decimal of(std::string_view json);

  bool zero() const { return digits.empty(); }
  bool integer() const { return point >= static_cast<int64_t>(digits.size()); }
  // What stands before the point, "0" if nothing does, and after it. For points up to a few
  // thousand.
  std::string whole() const;
  std::string fraction() const;
  // Without exponent, and with no zero that need not be there: "-12.5".
  std::string plain() const;
  // As an unsigned number, if it is one.
  std::optional<uint64_t> count() const;
  Decimal magnitude() const { return {false, digits, point}; }

  friend bool operator==(const Decimal&, const Decimal&) = default;
};

// Below 0, 0 or above 0, as a is less than, equal to or greater than b.
int compare(const Decimal& a, const Decimal& b);

}  // namespace skein::constrain
