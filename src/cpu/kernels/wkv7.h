// RWKV-7's recurrence. The state of a head, 16 KiB at N = 64, stays in the L1 cache while all
// tokens of a chunk pass over it. Lanes are value channels (the rows of the paper's S, which is
// kept transposed), so sums over keys need no horizontal step and four vectors of rows give four
// independent chains. Arithmetic decides: 5 multiply-adds for each of N x N elements and token.
#pragma once

#include "cpu/kernels/rows.h"

namespace skein::cpu::SK_ISA {

// Rows [row, row + 16 * kVectors) of the head; the last vector may hold fewer than 16.
template <int kVectors>
inline void wkv7_rows(const Wkv7& h, int64_t row) {
  constexpr bool kWhole = kVectors > 1;
  const int64_t n = h.size;
  for (int64_t t = 0; t < h.tokens; ++t) {
    const int64_t at = t * h.stride;
    const float *r = h.r + at, *w = h.w + at, *k = h.k + at, *kk = h.kk + at, *a = h.a + at;
    F32x16 sa[kVectors], v[kVectors], y[kVectors];
    for (int i = 0; i < kVectors; ++i) {
      sa[i] = set1(0.0f);
      y[i] = set1(0.0f);
      v[i] = load_part<kWhole>(h.v + at + row + 16 * i, n - row - 16 * i);
    }
    for (int64_t j = 0; j < n; ++j) {
      const F32x16 key = set1(kk[j]);
      for (int i = 0; i < kVectors; ++i) {
        const int64_t first = row + 16 * i;
        sa[i] = fma(load_part<kWhole>(h.state + j * n + first, n - first), key, sa[i]);
      }
    }
    for (int i = 0; i < kVectors; ++i) sa[i] = sub(set1(0.0f), sa[i]);
    for (int64_t j = 0; j < n; ++j) {
      const F32x16 decay = set1(w[j]), correction = set1(kk[j] * a[j]), key = set1(k[j]);
      const F32x16 reading = set1(r[j]);
      for (int i = 0; i < kVectors; ++i) {
        const int64_t first = row + 16 * i;
        float* place = h.state + j * n + first;
        F32x16 s = mul(load_part<kWhole>(place, n - first), decay);
        s = fma(sa[i], correction, s);
        s = fma(v[i], key, s);
        store_part<kWhole>(place, s, n - first);
        y[i] = fma(s, reading, y[i]);
      }
    }
    for (int i = 0; i < kVectors; ++i) {
      const int64_t first = row + 16 * i;
      store_part<kWhole>(h.y + at + first, y[i], n - first);
    }
  }
}

inline void wkv7(const Wkv7& h) {
  int64_t row = 0;
  for (; h.size - row >= 64; row += 64) wkv7_rows<4>(h, row);
  for (; row < h.size; row += 16) wkv7_rows<1>(h, row);
}

}  // namespace skein::cpu::SK_ISA
