// Activations as whole numbers for panels of codes: see QuantisedRow in cpu/kernels.h. One function
// for decoding, prompts and batches, so that a token's result does not depend on its company.
#pragma once

#include <limits>

#include "cpu/kernels/math.h"

namespace skein::cpu::SK_ISA {

inline constexpr float kLargestCode = 32512.0f;  // 127 * 256: both bytes of a code stay signed
// Below this a row counts as zeros: its inverse would leave the numbers.
inline constexpr float kLeastRow = 1e-30f;

inline float largest(F32x16 a) {
  float lane[16];
  store(lane, a);
  float out = 0;
  for (const float x : lane) out = x > out ? x : out;
  return out;
}

inline void quantise_row(const Quantise& q, const float* x, std::byte* out) {
  const int64_t in = q.row.in, group = q.row.group;
  F32x16 most = set1(0.0f), strange = set1(0.0f);
  for (int64_t k = 0; k < in; k += 16) {
    const F32x16 v = load(x + k);
    most = max(abs(v), most);
    strange = fma(v, set1(0.0f), strange);  // 0, but for infinities and what is no number
  }
  const bool numbers = reduce_add(strange) == 0;
  const float size = largest(most);
  const bool zeros = !numbers || size < kLeastRow;
  const float scale = numbers ? size / kLargestCode : std::numeric_limits<float>::quiet_NaN();
  *reinterpret_cast<float*>(out + q.row.scale()) = numbers && zeros ? 0.0f : scale;
  const F32x16 inverse = set1(zeros ? 0.0f : kLargestCode / size);
  const F32x16 magic = set1(12582912.0f);  // 1.5 * 2^23: adding it rounds to a whole number
  auto* starts = reinterpret_cast<int32_t*>(out + q.row.starts());
  auto* sums = reinterpret_cast<float*>(out + q.row.sums());
  std::byte *first = out, *second = out + q.row.second_plane();
  for (int64_t k = 0; k < in; k += group) {
    F32x16 sum = set1(0.0f);
    for (int64_t i = k; i < k + group; i += 16) {
      const F32x16 plus_magic = numbers ? fma(load(x + i), inverse, magic) : magic;
      store_quads(first + i, second + i, plus_magic);
      sum = add(sum, sub(plus_magic, magic));
    }
    const float total = reduce_add(sum);  // exact: below 2^24
    *sums++ = total;
    *starts++ = -q.bias * static_cast<int32_t>(total);
  }
}

inline void quantise(const Quantise& q, Range rows) {
  for (int64_t row = rows.begin; row < rows.end; ++row)
    quantise_row(q, q.x + row * q.x_stride, q.out + row * q.row.bytes());
}

}  // namespace skein::cpu::SK_ISA
