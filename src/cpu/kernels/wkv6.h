// The recurrence of RWKV-5 and 6. As in wkv7.h the state of a head stays in the L1 cache while all
// tokens of a chunk pass over it, lanes are value channels, and four vectors of them give four
// independent chains. One pass over the keys reads each row of the state, adds it to the result
// and replaces it: 2 multiply-adds and a product for each of N x N elements and token, about as
// long as the load and the store take.
//
// The bonus of the current token, sum_i r[i] u[i] k[i] v[j], is v[j] times one number a head, which
// leaves nothing of it for the inner loop.
#pragma once

#include "cpu/kernels/rows.h"

namespace skein::cpu::SK_ISA {

// Value channels [first, first + 16 * kVectors) of the head; the last vector may hold fewer than
// 16. With kBonus the result reads the state from before the token, without it the one after.
template <int kVectors, bool kBonus>
inline void wkv6_channels(const Wkv6& h, int64_t first) {
  constexpr bool kWhole = kVectors > 1;
  const int64_t n = h.size;
  for (int64_t t = 0; t < h.tokens; ++t) {
    const int64_t at = t * h.stride;
    const float *r = h.r + at, *k = h.k + at, *w = h.w + t * h.w_stride;
    F32x16 v[kVectors], y[kVectors];
    for (int i = 0; i < kVectors; ++i) {
      v[i] = load_part<kWhole>(h.v + at + first + 16 * i, n - first - 16 * i);
      y[i] = set1(0.0f);
    }
    for (int64_t j = 0; j < n; ++j) {
      const F32x16 decay = set1(w[j]), key = set1(k[j]), reading = set1(r[j]);
      for (int i = 0; i < kVectors; ++i) {
        const int64_t channel = first + 16 * i;
        float* place = h.state + j * n + channel;
        const F32x16 before = load_part<kWhole>(place, n - channel);
        const F32x16 after = fma(v[i], key, mul(before, decay));
        store_part<kWhole>(place, after, n - channel);
        y[i] = fma(kBonus ? before : after, reading, y[i]);
      }
    }
    const F32x16 bonus = set1(kBonus ? dot3(r, k, h.u, n) : 0.0f), scale = set1(h.scale);
    for (int i = 0; i < kVectors; ++i) {
      const int64_t channel = first + 16 * i;
      if constexpr (kBonus) y[i] = fma(v[i], bonus, y[i]);
      store_part<kWhole>(h.y + at + channel, mul(y[i], scale), n - channel);
    }
  }
}

template <bool kBonus>
inline void wkv6_head(const Wkv6& h) {
  int64_t first = 0;
  for (; h.size - first >= 64; first += 64) wkv6_channels<4, kBonus>(h, first);
  for (; first < h.size; first += 16) wkv6_channels<1, kBonus>(h, first);
}

inline void wkv6(const Wkv6& h) {
  if (h.u) {
    wkv6_head<true>(h);
  } else {
    wkv6_head<false>(h);
  }
}

}  // namespace skein::cpu::SK_ISA
