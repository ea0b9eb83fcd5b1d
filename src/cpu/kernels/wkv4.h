// RWKV-4's recurrence. Lanes are channels, three numbers of state each, held in registers while all
// tokens of a chunk pass. Arithmetic decides: two exponentials a token and channel, one behind the
// other's result, so that several vectors at once hide each other's latency.
//
// Of the two exponentials that the paper writes for a weighted sum one is always e^0 = 1: the sum
// is scaled by the larger exponent. Only the other one is computed, which gives the same bits.
//
// Nothing here can overflow or divide by zero, whatever the exponents:
// * bb >= 1 from the first token on: of e1 bb + e2 either e2 is 1, or e1 is 1 and bb was >= 1
//   before (at first pp = -1e30, so that e2 is 1). Both denominators are therefore at least 1.
// * exp() gives e^-87 = 2e-38 for anything below it, e^(-1e30) included. At the first token that
//   multiplies aa = bb = 0. Later it is added, times aa or bb or v, to sums of which bb's is at
//   least 1: far below what f32 resolves.
// * bb grows by at most 1 a token and stops at 2^24, where adding 1 has no effect; |aa| is at most
//   bb times the largest |v|. pp is finite once it has met a k, and no k is replaced by less than
//   itself.
#pragma once

#include "cpu/kernels/rows.h"

namespace skein::cpu::SK_ISA {

// Factors of two terms whose exponents are `a` and `b`, after both were divided by the larger.
struct Balance {
  F32x16 a, b;
};
inline Balance balance(F32x16 a, F32x16 b) {
  const F32x16 one = set1(1.0f);
  const F32x16 apart = abs(sub(a, b));
  const F32x16 smaller = if_finite(apart, exp(sub(set1(0.0f), apart)));
  return {where_less(a, b, smaller, one), where_less(a, b, one, smaller)};
}

// Channels [first, first + 16 * kVectors); the last vector may hold fewer than 16.
template <int kVectors>
inline void wkv4_channels(const Wkv4& c, int64_t first) {
  F32x16 aa[kVectors], bb[kVectors], pp[kVectors], w[kVectors], u[kVectors];
  for (int i = 0; i < kVectors; ++i) {
    const int64_t at = first + 16 * i, left = c.width - at;
    aa[i] = load_upto(c.aa + at, left);
    bb[i] = load_upto(c.bb + at, left);
    pp[i] = load_upto(c.pp + at, left);
    w[i] = load_upto(c.w + at, left);
    u[i] = load_upto(c.u + at, left);
  }
  for (int64_t t = 0; t < c.tokens; ++t) {
    for (int i = 0; i < kVectors; ++i) {
      const int64_t at = first + 16 * i, left = c.width - at;
      const F32x16 k = load_upto(c.k + t * c.stride + at, left);
      const F32x16 v = load_upto(c.v + t * c.stride + at, left);

      const Balance now = balance(pp[i], add(u[i], k));
      const F32x16 sum = fma(now.a, aa[i], mul(now.b, v));
      store_upto(c.y + t * c.stride + at, div(sum, fma(now.a, bb[i], now.b)), left);

      const F32x16 decayed = add(pp[i], w[i]);
      const Balance next = balance(decayed, k);
      aa[i] = fma(next.a, aa[i], mul(next.b, v));
      bb[i] = fma(next.a, bb[i], next.b);
      pp[i] = max(decayed, k);
    }
  }
  for (int i = 0; i < kVectors; ++i) {
    const int64_t at = first + 16 * i, left = c.width - at;
    store_upto(c.aa + at, aa[i], left);
    store_upto(c.bb + at, bb[i], left);
    store_upto(c.pp + at, pp[i], left);
  }
}

inline void wkv4(const Wkv4& c, Range blocks) {
  int64_t block = blocks.begin;
  for (; block + 2 <= blocks.end; block += 2) wkv4_channels<2>(c, block * 16);
  for (; block < blocks.end; ++block) wkv4_channels<1>(c, block * 16);
}

}  // namespace skein::cpu::SK_ISA
