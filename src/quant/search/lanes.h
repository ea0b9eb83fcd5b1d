// What the searching writers share. A search tries many scales for each group of numbers, so the
// groups are laid side by side, one in each lane of a vector. No sum crosses lanes, so the result
// does not depend on their number, and there is no horizontal addition.
//
// All searches minimise the plain squared error: that is what the fixtures' figures measure, and
// nothing is known here about the inputs that a column will meet. Private to quant.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>

#include "quant/plain/bits.h"

namespace skein::quant::search {

// One number of each group; arrays, because most of what is done once a group needs no vectors.
template <int G>
using Lanes = float[G];

// Four lanes at once. GCC and Clang lower it to whatever the machine has.
using Four = float __attribute__((vector_size(16)));

inline Four load_four(const float* from) {
  Four out;
  std::memcpy(&out, from, sizeof(out));
  return out;
}
inline void store_four(float* to, const Four& from) { std::memcpy(to, &from, sizeof(from)); }

// The functions below take a Four or a float and give each lane the bits of the float.

// To the nearest whole number, ties to even, for numbers below 2^22.
template <typename T>
T nearest_whole(T value) {
  constexpr float kShift = 0x1.8p23f;
  return (value + kShift) - kShift;
}

template <typename T>
T clamp(T value, float low_bound, float high_bound) {
  const T low = T{} + low_bound;
  const T high = T{} + high_bound;
  const T below = value < high ? value : high;
  return below > low ? below : low;
}

// 1 / scale, and 0 for scales so small that they are none.
inline float inverse_of(float scale) { return std::fabs(scale) > 0x1p-60f ? 1.0f / scale : 0.0f; }

// The whole multiple of a super-scale nearest to `scale`, `near` steps beside it.
inline float whole_scale(float scale, float inverse, int near, int lowest, int highest) {
  const float whole = nearest_whole(clamp(scale * inverse, -1000, 1000));
  return clamp(whole + static_cast<float>(near), static_cast<float>(lowest),
               static_cast<float>(highest));
}

// G groups of N numbers; x[n] holds number n of every group, all divided by `unit`, a power of two
// that brings the largest into [1, 2). So nothing overflows on the way, and no number that decides
// anything is subnormal, which some threads flush to zero. unit is 0 when all numbers are.
template <int G, int N>
struct Groups {
  float x[N][G];
  float unit = 0;
};

// The unit of `count` numbers; nothing when one is not finite or too large for any scale here.
inline std::optional<float> unit_of(const float* values, int count) {
  constexpr float kTooLarge = 0x1p32f;   // the largest that a format reaches is 65504 * 128 * 32
  constexpr float kTooSmall = 0x1p-40f;  // nothing beside the smallest half, 2^-24
  float largest = 0;
  bool fine = true;
  for (int i = 0; i < count; ++i) {
    const float magnitude = std::fabs(values[i]);
    fine = fine && magnitude < kTooLarge;
    largest = std::max(largest, magnitude);
  }
  if (!fine) return std::nullopt;
  if (largest < kTooSmall) return 0.0f;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(largest) & 0x7f800000u);
}

// Numbers this far below the largest of their block are zero in every format.
inline float in_units(float value, float inverse_unit) {
  const float x = value * inverse_unit;
  return std::fabs(x) < 0x1p-38f ? 0.0f : x;
}

// Lays out one super-block of consecutive groups. False as above.
template <int G, int N>
bool load_groups(const float* values, Groups<G, N>& groups) {
  const auto unit = unit_of(values, G * N);
  if (!unit) return false;
  groups.unit = *unit;
  const float inverse = inverse_of(*unit);
  for (int g = 0; g < G; ++g)
    for (int n = 0; n < N; ++n) groups.x[n][g] = in_units(values[g * N + n], inverse);
  return true;
}

// The squared sum of all numbers: the error of writing zeros.
template <int G, int N>
float error_of_zeros(const Groups<G, N>& groups) {
  Lanes<G> squares = {};
  for (int n = 0; n < N; ++n)
    for (int g = 0; g < G; ++g) squares[g] += groups.x[n][g] * groups.x[n][g];
  float total = 0;
  for (const float square : squares) total += square;
  return total;
}

// A super-scale, given in units, as it will be read back.
struct HalfScale {
  uint16_t bits = 0;
  float value = 0;
};

// The nearest half. Where that would be zero it is the smallest one, since groups can make up for a
// super-scale that is too large but not for none; where it would be infinite, the largest.
inline HalfScale half_scale(float scale, float unit) {
  HalfScale out;
  out.bits = f32_to_f16(scale * unit);
  if ((out.bits & 0x7fffu) == 0 && scale != 0) out.bits |= 1u;
  if (!f16_is_finite(out.bits)) out.bits = static_cast<uint16_t>((out.bits & 0x8000u) | 0x7bffu);
  out.value = f16_to_f32(out.bits) * inverse_of(unit);
  return out;
}
inline bool has_half(float scale, float unit) { return f16_is_finite(f32_to_f16(scale * unit)); }

// Offsets to try around a rounded scale, the rounded one first so that it wins ties.
inline constexpr int kNearby[] = {0, 1, -1, 2, -2};

}  // namespace skein::quant::search
