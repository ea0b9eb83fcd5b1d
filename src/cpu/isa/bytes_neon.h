// Products of whole numbers with dot products of four bytes. A register of four rows by four inputs
// is what these take, so nothing is widened; an activation is high * 256 + low, both signed, with a
// sum for each as on AVX-512. Included by dotprod.h and i8mm.h, which say what the processor
// multiplies signed bytes with.
#pragma once

#include <cstring>

#include "cpu/isa/bytes.h"
#include "cpu/isa/neon.h"

namespace skein::cpu::SK_ISA {

struct Quads {
  Codes v[4];  // rows 0-3, 4-7, 8-11, 12-15
};
template <typename Make>
inline Quads make_quads(const Bytes& bytes, Make make) {
  return {{make(bytes.v[0]), make(bytes.v[1]), make(bytes.v[2]), make(bytes.v[3])}};
}
inline Quads load_quads(const uint8_t* p) { return make_quads(load_bytes(p), biased_codes); }
inline void load_nibbles(const uint8_t* p, Quads* low, Quads* high) {
  const Bytes both = load_bytes(p);
  *low = make_quads(low_nibbles(both), small_codes);
  *high = make_quads(high_nibbles(both), small_codes);
}
inline void look_up_nibbles(const uint8_t* p, const NibbleTable& table, Quads* low, Quads* high) {
  const Codes levels = biased_codes(table.code);
  const Bytes both = load_bytes(p);
  *low = make_quads(low_nibbles(both), [&](uint8x16_t at) { return look_up(levels, at); });
  *high = make_quads(high_nibbles(both), [&](uint8x16_t at) { return look_up(levels, at); });
}

// A panel's sums are 8 registers, its codes 4 more.
inline constexpr int kDotPanels = 2;
inline constexpr int kDotTokens = 2;
inline constexpr int kDotTilePanels = 1;
inline constexpr int kDotTileTokens = 3;

struct Dots {
  int32x4_t high[4];
  int32x4_t low[4];
};
inline Dots start_dots(int32_t value) {
  const int32x4_t zero = vdupq_n_s32(0), all = vdupq_n_s32(value);
  return {{zero, zero, zero, zero}, {all, all, all, all}};
}
inline int8x16_t broadcast_quad(const std::byte* p) {
  int32_t quad;
  std::memcpy(&quad, p, sizeof quad);
  return vreinterpretq_s8_s32(vdupq_n_s32(quad));
}
inline void dot(Dots* dots, const Quads& w, const std::byte* first, const std::byte* second) {
  const int8x16_t high = broadcast_quad(first), low = broadcast_quad(second);
  for (int i = 0; i < 4; ++i) {
    dots->high[i] = add_products(dots->high[i], w.v[i], high);
    dots->low[i] = add_products(dots->low[i], w.v[i], low);
  }
}
inline F32x16 to_f32(const Dots& dots) {
  return each(
      [&](int i) { return vcvtq_f32_s32(vaddq_s32(vshlq_n_s32(dots.high[i], 8), dots.low[i])); });
}
inline void store_quads(std::byte* first, std::byte* second, F32x16 plus_magic) {
  const int16x8_t a = lower_halves(plus_magic.v[0], plus_magic.v[1]);
  const int16x8_t b = lower_halves(plus_magic.v[2], plus_magic.v[3]);
  const int8x16_t high = vrshrn_high_n_s16(vrshrn_n_s16(a, 8), b, 8);
  const int8x16_t low = vmovn_high_s16(vmovn_s16(a), b);
  std::memcpy(first, &high, sizeof high);
  std::memcpy(second, &low, sizeof low);
}

}  // namespace skein::cpu::SK_ISA
