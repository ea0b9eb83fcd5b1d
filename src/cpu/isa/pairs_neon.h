// The vector layer for any AArch64 processor: neon.h, and products of whole numbers as codes
// widened to 16 bits times activations of 16 bits, added in 32. Included once, by kernels_neon.cpp.
//
// Of a quad inputs 0 and 2 stand in the even bytes, 1 and 3 in the odd ones, so that widening is a
// mask and a shift, and both inputs of a pair go into one sum; the two pairs of a row meet when the
// group is complete: 4 loads, 8 operations to widen and 16 products. De-interleaving the inputs
// (ld4) would leave one sum a row and let lanes of a register be the activations, but it is some
// twelve operations itself, where the mask and the shift widen as well.
#pragma once

#include <cstring>

#include "cpu/isa/neon.h"
#include "cpu/isa/pairs.h"

namespace skein::cpu::SK_ISA {

inline constexpr int kByteBias = 0;

struct Quads {
  int16x8_t even[4];  // inputs 0 and 2 of rows 0-3, 4-7, 8-11, 12-15
  int16x8_t odd[4];   // inputs 1 and 3
};
inline Quads widen(const Bytes& bytes) {
  Quads out;
  for (int i = 0; i < 4; ++i) {
    const uint16x8_t pairs = vreinterpretq_u16_u8(bytes.v[i]);
    out.even[i] = vreinterpretq_s16_u16(vandq_u16(pairs, vdupq_n_u16(0xff)));
    out.odd[i] = vreinterpretq_s16_u16(vshrq_n_u16(pairs, 8));
  }
  return out;
}
inline Quads load_quads(const uint8_t* p) { return widen(load_bytes(p)); }
inline void load_nibbles(const uint8_t* p, Quads* low, Quads* high) {
  const Bytes both = load_bytes(p);
  const uint16x8_t mask = vdupq_n_u16(15);
  for (int i = 0; i < 4; ++i) {
    const uint16x8_t pairs = vreinterpretq_u16_u8(both.v[i]);
    low->even[i] = vreinterpretq_s16_u16(vandq_u16(pairs, mask));
    high->even[i] = vreinterpretq_s16_u16(vandq_u16(vshrq_n_u16(pairs, 4), mask));
    low->odd[i] = vreinterpretq_s16_u16(vandq_u16(vshrq_n_u16(pairs, 8), mask));
    high->odd[i] = vreinterpretq_s16_u16(vshrq_n_u16(pairs, 12));
  }
}
inline void look_up_nibbles(const uint8_t* p, const NibbleTable& table, Quads* low, Quads* high) {
  const Bytes both = load_bytes(p);
  *low = widen(look_up(table, low_nibbles(both)));
  *high = widen(look_up(table, high_nibbles(both)));
}

// A panel's sums are 8 registers, its codes 8 more.
inline constexpr int kDotPanels = 1;
inline constexpr int kDotTokens = 2;
inline constexpr int kDotTilePanels = 1;
inline constexpr int kDotTileTokens = 2;

struct Dots {
  int32x4_t sum[8];  // rows 0 and 1, 2 and 3 ...: each row's two pairs side by side
};
inline Dots start_dots(int32_t value) {
  const int32x4_t once = vreinterpretq_s32_u64(vdupq_n_u64(static_cast<uint32_t>(value)));
  return {{once, once, once, once, once, once, once, once}};
}
inline int16x8_t broadcast_pair(const std::byte* p) {
  int32_t pair;
  std::memcpy(&pair, p, sizeof pair);
  return vreinterpretq_s16_s32(vdupq_n_s32(pair));
}
// g++ 12 copies sums around the intrinsics for these, a move for every other product.
inline void add_low_products(int32x4_t* sum, int16x8_t a, int16x8_t b) {
  asm("smlal %0.4s, %1.4h, %2.4h" : "+w"(*sum) : "w"(a), "w"(b));
}
inline void add_high_products(int32x4_t* sum, int16x8_t a, int16x8_t b) {
  asm("smlal2 %0.4s, %1.8h, %2.8h" : "+w"(*sum) : "w"(a), "w"(b));
}
inline void dot(Dots* dots, const Quads& w, const std::byte* first, const std::byte* second) {
  const int16x8_t even = broadcast_pair(first), odd = broadcast_pair(second);
  for (int i = 0; i < 4; ++i) {
    add_low_products(&dots->sum[2 * i], w.even[i], even);
    add_high_products(&dots->sum[2 * i + 1], w.even[i], even);
    add_low_products(&dots->sum[2 * i], w.odd[i], odd);
    add_high_products(&dots->sum[2 * i + 1], w.odd[i], odd);
  }
}
inline F32x16 to_f32(const Dots& dots) {
  return each(
      [&](int i) { return vcvtq_f32_s32(vpaddq_s32(dots.sum[2 * i], dots.sum[2 * i + 1])); });
}
inline void store_quads(std::byte* first, std::byte* second, F32x16 plus_magic) {
  const int16x8_t low = lower_halves(plus_magic.v[0], plus_magic.v[1]);
  const int16x8_t high = lower_halves(plus_magic.v[2], plus_magic.v[3]);
  const int16x8_t even = vuzp1q_s16(low, high), odd = vuzp2q_s16(low, high);
  std::memcpy(first, &even, sizeof even);
  std::memcpy(second, &odd, sizeof odd);
}

}  // namespace skein::cpu::SK_ISA
