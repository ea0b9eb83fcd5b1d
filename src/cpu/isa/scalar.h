// The vector layer in plain C++: the definition that the other instruction sets must equal bit for
// bit, and what runs where there is nothing better. Included once, by kernels_scalar.cpp.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "quant/plain/bits.h"

namespace skein::cpu::scalar {

// Sixteen lanes on every instruction set: a panel of 16 output rows, or 16 neighbours of a row.
struct F32x16 {
  float lane[16];
};

// Register tiles of the matrix product: panels of 16 rows by tokens.
inline constexpr int kTileTokens = 4;
inline constexpr bool kPairPanels = false;

template <typename F>
inline F32x16 each(F f) {
  F32x16 out;
  for (int i = 0; i < 16; ++i) out.lane[i] = f(i);
  return out;
}

inline float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline uint32_t to_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline F32x16 set1(float x) {
  return each([&](int) { return x; });
}
inline F32x16 load(const float* p) {
  return each([&](int i) { return p[i]; });
}
inline F32x16 load_n(const float* p, int n) {  // lanes from n on are 0
  return each([&](int i) { return i < n ? p[i] : 0.0f; });
}
inline F32x16 load_f16(const uint16_t* p) {
  return each([&](int i) { return quant::f16_to_f32(p[i]); });
}
inline F32x16 load_bf16(const uint16_t* p) {
  return each([&](int i) { return quant::bf16_to_f32(p[i]); });
}
inline F32x16 load_i8(const int8_t* p) {
  return each([&](int i) { return static_cast<float>(p[i]); });
}
// Sixteen levels, and sixteen bytes looked up in them: by their lower and by their upper halves.
struct Levels {
  const int8_t* level;
};
inline Levels load_levels(const int8_t* p) { return {p}; }
inline void load_nibbles(const uint8_t* p, Levels levels, F32x16* low, F32x16* high) {
  *low = each([&](int i) { return static_cast<float>(levels.level[p[i] & 15]); });
  *high = each([&](int i) { return static_cast<float>(levels.level[p[i] >> 4]); });
}
inline void store(float* p, F32x16 a) { std::memcpy(p, a.lane, sizeof a.lane); }
inline void store_n(float* p, F32x16 a, int n) {
  for (int i = 0; i < n; ++i) p[i] = a.lane[i];
}
inline F32x16 keep_n(F32x16 a, int n) {  // lanes from n on become 0
  return each([&](int i) { return i < n ? a.lane[i] : 0.0f; });
}

inline F32x16 add(F32x16 a, F32x16 b) {
  return each([&](int i) { return a.lane[i] + b.lane[i]; });
}
inline F32x16 sub(F32x16 a, F32x16 b) {
  return each([&](int i) { return a.lane[i] - b.lane[i]; });
}
inline F32x16 mul(F32x16 a, F32x16 b) {
  return each([&](int i) { return a.lane[i] * b.lane[i]; });
}
inline F32x16 div(F32x16 a, F32x16 b) {
  return each([&](int i) { return a.lane[i] / b.lane[i]; });
}
inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {  // a * b + c, rounded once
  return each([&](int i) { return std::fma(a.lane[i], b.lane[i], c.lane[i]); });
}
// min and max give the second operand when one is not a number, as the x86 instructions do.
inline F32x16 max(F32x16 a, F32x16 b) {
  return each([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline F32x16 min(F32x16 a, F32x16 b) {
  return each([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline F32x16 abs(F32x16 a) {
  return each([&](int i) { return from_bits(to_bits(a.lane[i]) & 0x7fffffffu); });
}
// `magnitude` with the sign of `sign`; magnitude must not be negative.
inline F32x16 with_sign(F32x16 magnitude, F32x16 sign) {
  return each([&](int i) {
    return from_bits(to_bits(magnitude.lane[i]) | (to_bits(sign.lane[i]) & 0x80000000u));
  });
}
// Where a < b the lanes of `yes`, elsewhere those of `no`.
inline F32x16 where_less(F32x16 a, F32x16 b, F32x16 yes, F32x16 no) {
  return each([&](int i) { return a.lane[i] < b.lane[i] ? yes.lane[i] : no.lane[i]; });
}
// p * 2^n, where n was made by adding 1.5 * 2^23 to a small whole number; the result is normal.
inline F32x16 scale_by_exponent(F32x16 p, F32x16 n_plus_magic) {
  return each(
      [&](int i) { return from_bits(to_bits(p.lane[i]) + (to_bits(n_plus_magic.lane[i]) << 23)); });
}
// The fixed tree: lanes 8 apart, then 4, 2, 1.
inline float reduce_add(F32x16 a) {
  for (int step = 8; step > 0; step /= 2)
    for (int i = 0; i < step; ++i) a.lane[i] += a.lane[i + step];
  return a.lane[0];
}
inline void prefetch(const void*) {}

}  // namespace skein::cpu::scalar
