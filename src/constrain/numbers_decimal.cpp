#include "constrain/numbers_decimal.h"

#include <algorithm>

namespace skein::constrain {
namespace {

constexpr int64_t kMostExponent = 1'000'000'000;

int64_t exponent_of(std::string_view text) {
  if (text.empty()) return 0;
  const bool negative = text[0] == '-';
  if (text[0] == '-' || text[0] == '+') text.remove_prefix(1);
  int64_t out = 0;
  for (const char c : text) out = std::min(out * 10 + (c - '0'), kMostExponent);
  return negative ? -out : out;
}

}  // namespace

Decimal Decimal::of(std::string_view json) {
  Decimal out;
  if (!json.empty() && json[0] == '-') {
    out.negative = true;
    json.remove_prefix(1);
  }
  const size_t e = json.find_first_of("eE");
  const std::string_view mantissa = json.substr(0, e);
  const size_t dot = std::min(mantissa.find('.'), mantissa.size());
  out.digits = mantissa.substr(0, dot);
  out.point = static_cast<int64_t>(dot);
  if (dot < mantissa.size()) out.digits += mantissa.substr(dot + 1);
  if (e != std::string_view::npos) out.point += exponent_of(json.substr(e + 1));
  const size_t last = out.digits.find_last_not_of('0');
  if (last == std::string::npos) return {};  // there is no -0
  out.digits.resize(last + 1);
  const size_t first = out.digits.find_first_not_of('0');
  out.digits.erase(0, first);
  out.point -= static_cast<int64_t>(first);
  return out;
}

std::string Decimal::whole() const {
  if (point <= 0) return "0";
  std::string out = digits.substr(0, static_cast<size_t>(point));
  out.resize(static_cast<size_t>(point), '0');
  return out;
}

std::string Decimal::fraction() const {
  if (integer()) return "";
  if (point >= 0) return digits.substr(static_cast<size_t>(point));
  return std::string(static_cast<size_t>(-point), '0') + digits;
}

std::string Decimal::plain() const {
  if (zero()) return "0";
  std::string out = negative ? "-" : "";
  out += whole();
  if (const std::string after = fraction(); !after.empty()) out += "." + after;
  return out;
}

std::optional<uint64_t> Decimal::count() const {
  if (zero()) return 0;
  if (negative || !integer()) return std::nullopt;
  if (point > 19) return UINT64_MAX;
  uint64_t out = 0;
  for (const char c : whole()) out = out * 10 + static_cast<uint64_t>(c - '0');
  return out;
}

int compare(const Decimal& a, const Decimal& b) {
  if (a.negative != b.negative) return a.negative ? -1 : 1;
  const int sign = a.negative ? -1 : 1;
  if (a.zero() || b.zero()) return a.zero() && b.zero() ? 0 : sign * (a.zero() ? -1 : 1);
  if (a.point != b.point) return sign * (a.point < b.point ? -1 : 1);
  const int order = a.digits.compare(b.digits);
  return sign * (order < 0 ? -1 : order > 0 ? 1 : 0);
}

}  // namespace skein::constrain
