// RWKV-7's recurrence. The state of a head, 16 KiB at N = 64, stays in the L1 cache while all
// tokens of a chunk pass over it. Lanes are value channels (the rows of the paper's S, which is
// kept transposed), so sums over keys need no horizontal step. Arithmetic decides: 5 operations for
// each of N x N elements and token, which two vector units do in 10 cycles for four vectors.
//
// A token needs the product of the state with its own kk before it can change it. Only the first
// token of a chunk reads the state for that: the others' products are summed while the token before
// writes it, in the same order of keys, so that a row of the state is loaded once a token.
#pragma once

#include "cpu/kernels/rows.h"

namespace skein::cpu::SK_ISA {

// Keys whose kk * a are kept beside the state; larger heads are done in stretches of so many.
inline constexpr int64_t kStateKeys = 64;

// The state's product with the first token's kk.
template <int kVectors, bool kWhole>
inline void wkv7_read(const Wkv7& h, int64_t row, F32x16* sum) {
  const int64_t n = h.size;
  for (int64_t j = 0; j < n; ++j) {
    const F32x16 key = set1(h.kk[j]);
    for (int i = 0; i < kVectors; ++i) {
      const int64_t first = row + 16 * i;
      sum[i] = fma(load_part<kWhole>(h.state + j * n + first, n - first), key, sum[i]);
    }
  }
}

// Steps the state by token t. `sa` comes in as the product with its kk and, where kNext, goes out
// as the product of the new state with the next token's.
template <int kVectors, bool kWhole, bool kNext>
inline void wkv7_token(const Wkv7& h, int64_t row, int64_t t, F32x16* sa) {
  const int64_t n = h.size, at = t * h.stride;
  const float *r = h.r + at, *w = h.w + at, *k = h.k + at, *kk = h.kk + at, *a = h.a + at;
  F32x16 minus_sa[kVectors], next_sa[kVectors], v[kVectors], y[kVectors];
  for (int i = 0; i < kVectors; ++i) {
    minus_sa[i] = sub(set1(0.0f), sa[i]);
    next_sa[i] = set1(0.0f);
    y[i] = set1(0.0f);
    v[i] = load_part<kWhole>(h.v + at + row + 16 * i, n - row - 16 * i);
  }
  alignas(64) float corrections[kStateKeys];
  for (int64_t from = 0; from < n; from += kStateKeys) {
    const int64_t keys = n - from < kStateKeys ? n - from : kStateKeys;
    for (int64_t j = 0; j < keys; j += 16)
      store(corrections + j,
            mul(load_upto(kk + from + j, keys - j), load_upto(a + from + j, keys - j)));
    for (int64_t j = from; j < from + keys; ++j) {
      const F32x16 decay = set1(w[j]), correction = set1(corrections[j - from]), key = set1(k[j]);
      const F32x16 reading = set1(r[j]);
      for (int i = 0; i < kVectors; ++i) {
        const int64_t first = row + 16 * i;
        float* place = h.state + j * n + first;
        F32x16 s = mul(load_part<kWhole>(place, n - first), decay);
        s = fma(minus_sa[i], correction, s);
        s = fma(v[i], key, s);
        store_part<kWhole>(place, s, n - first);
        y[i] = fma(s, reading, y[i]);
        if constexpr (kNext) next_sa[i] = fma(s, set1(kk[h.stride + j]), next_sa[i]);
      }
    }
  }
  for (int i = 0; i < kVectors; ++i) {
    const int64_t first = row + 16 * i;
    store_part<kWhole>(h.y + at + first, y[i], n - first);
    sa[i] = next_sa[i];
  }
}

// Steps rows [row, row + 16 * kVectors) of the head by all tokens; without kWhole the last vector
// may hold fewer. `sa` is their product with the first token's kk.
template <int kVectors, bool kWhole>
inline void wkv7_rows(const Wkv7& h, int64_t row, F32x16* sa) {
  for (int64_t t = 0; t + 1 < h.tokens; ++t) wkv7_token<kVectors, kWhole, true>(h, row, t, sa);
  wkv7_token<kVectors, kWhole, false>(h, row, h.tokens - 1, sa);
}

inline void wkv7(const Wkv7& h) {
  // Four chains hide the latency of a sum; as many vectors step together as have their four sums
  // each in registers.
  constexpr int kChains = 4, kVectors = kPairPanels ? 4 : 1;
  F32x16 sa[kChains];
  int64_t row = 0;
  for (; h.size - row >= 16 * kChains; row += 16 * kChains) {
    for (F32x16& sum : sa) sum = set1(0.0f);
    wkv7_read<kChains, true>(h, row, sa);
    for (int i = 0; i < kChains; i += kVectors) wkv7_rows<kVectors, true>(h, row + 16 * i, sa + i);
  }
  for (; row < h.size; row += 16) {
    sa[0] = set1(0.0f);
    wkv7_read<1, false>(h, row, sa);
    wkv7_rows<1, false>(h, row, sa);
  }
}

}  // namespace skein::cpu::SK_ISA
