// Arithmetic on sizes that come from a file. Overflow is an answer, never a wrapped number.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace skein {

inline std::optional<uint64_t> checked_add(uint64_t a, uint64_t b) {
  uint64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

inline std::optional<uint64_t> checked_mul(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

// Overflow counts even where a later factor is zero: 2^32 * 2^32 * 0 is refused, not "empty".
inline std::optional<uint64_t> checked_product(std::span<const int64_t> factors) {
  uint64_t product = 1;
  bool zero = false;
  for (const int64_t factor : factors) {
    if (factor < 0) return std::nullopt;
    if (factor == 0) {
      zero = true;
      continue;
    }
    const auto next = checked_mul(product, static_cast<uint64_t>(factor));
    if (!next || *next > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
    product = *next;
  }
  return zero ? 0 : product;
}

}  // namespace skein
