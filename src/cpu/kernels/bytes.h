// The mode `fast` without tiles: activations of 8 bits with a scale for each group, multiplied by
// panels of codes. One product of bytes for each weight where the exact way needs two. Sums of a
// group are exact, so a token's result does not depend on its company here either. Included by
// layers that have dot_bytes() beside kByteTilePanels and kByteTileTokens.
#pragma once

#include <limits>

#include "cpu/kernels/codes.h"
#include "cpu/kernels/quantise.h"

namespace skein::cpu::SK_ISA {

// Of a row: codes, and for each group what its products start from, its scale and the sum of its
// inputs.
struct ByteActivations {
  const std::byte* codes;
  const int32_t* starts;
  const float* scales;
  const float* sums;

  ByteActivations(const Linear& l, int64_t token) {
    const FastRow row = {.in = l.in, .form = FastForm::bytes, .group = l.codes.group};
    codes = l.quantised + token * row.bytes();
    starts = reinterpret_cast<const int32_t*>(codes + row.starts());
    scales = reinterpret_cast<const float*>(codes + row.scales());
    sums = reinterpret_cast<const float*>(codes + row.sums());
  }
};

// `ahead` bytes further on: the same of a later token.
template <typename Number>
inline Number ahead_of(const Number* place, int64_t ahead) {
  return *reinterpret_cast<const Number*>(reinterpret_cast<const std::byte*>(place) + ahead);
}

inline void round_row_to_bytes(const RoundRows& q, const float* x, std::byte* out) {
  const FastRow row = {.in = q.in, .form = FastForm::bytes, .group = q.group};
  auto* starts = reinterpret_cast<int32_t*>(out + row.starts());
  auto* scales = reinterpret_cast<float*>(out + row.scales());
  auto* sums = reinterpret_cast<float*>(out + row.sums());
  const F32x16 magic = set1(12582912.0f);  // 1.5 * 2^23: adding it rounds to a whole number
  for (int64_t k = 0; k < q.in; k += q.group) {
    F32x16 most = set1(0.0f), strange = set1(0.0f);
    for (int64_t i = k; i < k + q.group; i += 16) {
      const F32x16 v = load(x + i);
      most = max(abs(v), most);
      strange = fma(v, set1(0.0f), strange);  // 0, but for infinities and what is no number
    }
    const bool numbers = reduce_add(strange) == 0;
    const float size = largest(most);
    const bool zeros = !numbers || size < kLeastRow;
    const float scale =
        !numbers ? std::numeric_limits<float>::quiet_NaN() : (zeros ? 0.0f : size / 127.0f);
    const F32x16 inverse = set1(zeros ? 0.0f : 127.0f / size);
    F32x16 sum = set1(0.0f);
    for (int64_t i = k; i < k + q.group; i += 16) {
      const F32x16 plus_magic = numbers ? fma(load(x + i), inverse, magic) : magic;
      store_low_bytes(out + i, plus_magic);
      sum = add(sum, sub(plus_magic, magic));
    }
    const float total = reduce_add(sum);  // exact
    *starts++ = (kByteBias - q.bias) * static_cast<int32_t>(total);
    *scales++ = scale;
    *sums++ = total * scale;
  }
}

inline void round_to_bytes(const RoundRows& q, Range rows) {
  const FastRow row = {.in = q.in, .form = FastForm::bytes, .group = q.group};
  for (int64_t r = rows.begin; r < rows.end; ++r)
    round_row_to_bytes(q, q.x + r * q.x_stride, q.out + r * row.bytes());
}

// A block's panels for kTokens tokens.
template <int kGroup, bool kShifted, int kPanels, int kTokens>
inline void fast_tile(const Linear& l, const ExpandedBlock& b, int64_t token) {
  const ExpandedPanel* expanded = b.expanded;
  const int64_t panel = b.panel, first = b.first, last = b.last;
  const int64_t row = FastRow{.in = l.in, .form = FastForm::bytes, .group = kGroup}.bytes();
  const ByteActivations x(l, token);
  F32x16 sum[kPanels][kTokens];
  for (int p = 0; p < kPanels; ++p)
    for (int t = 0; t < kTokens; ++t)
      sum[p][t] = first == 0 ? set1(0.0f) : resume(l, panel + p, token + t);
  for (int64_t g = first; g < last; ++g) {
    ByteDots dots[kPanels][kTokens];
    for (int t = 0; t < kTokens; ++t)
      for (int p = 0; p < kPanels; ++p)
        dots[p][t] = start_byte_dots(ahead_of(x.starts + g, t * row));
    const std::byte* codes = x.codes + g * kGroup;
    for (int q = 0; q < kGroup; q += 4) {
      Quads w[kPanels];
      for (int p = 0; p < kPanels; ++p)
        w[p] = load_quads(expanded[p].codes + ((g - first) * kGroup + q) * kPanel);
      for (int t = 0; t < kTokens; ++t)
        for (int p = 0; p < kPanels; ++p) dot_bytes(&dots[p][t], w[p], codes + t * row + q);
    }
    for (int p = 0; p < kPanels; ++p) {
      const F32x16 scale = load(expanded[p].scales + (g - first) * kPanel);
      for (int t = 0; t < kTokens; ++t) {
        const F32x16 both = mul(scale, set1(ahead_of(x.scales + g, t * row)));
        sum[p][t] = fma(to_f32(dots[p][t]), both, sum[p][t]);
        if constexpr (kShifted)
          sum[p][t] = fma(set1(ahead_of(x.sums + g, t * row)),
                          load(expanded[p].offsets + (g - first) * kPanel), sum[p][t]);
      }
    }
  }
  const bool whole = last * kGroup == l.in;
  for (int p = 0; p < kPanels; ++p)
    for (int t = 0; t < kTokens; ++t)
      whole ? finish(l, sum[p][t], panel + p, token + t) : park(l, sum[p][t], panel + p, token + t);
}

template <int kGroup, bool kShifted, int kPanels>
inline void fast_tiles(const Linear& l, const ExpandedBlock& b) {
  int64_t token = b.token;
  for (; b.end - token >= kByteTileTokens; token += kByteTileTokens)
    fast_tile<kGroup, kShifted, kPanels, kByteTileTokens>(l, b, token);
  for (; b.end - token >= 2; token += 2) fast_tile<kGroup, kShifted, kPanels, 2>(l, b, token);
  if (token < b.end) fast_tile<kGroup, kShifted, kPanels, 1>(l, b, token);
}

inline void linear_of_byte_rows(const Linear& l, Range panels) {
  with_shape(l.codes, [&]<typename Shape>(Shape) {
    each_expanded<Shape, kByteTilePanels>(
        l, panels, [&]<int kPanels>(Count<kPanels>, const ExpandedBlock& block) {
          fast_tiles<Shape::kGroup, Shape::kShifted, kPanels>(l, block);
        });
  });
}

}  // namespace skein::cpu::SK_ISA
