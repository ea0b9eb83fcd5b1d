// The vector layer for AArch64, but for products of whole numbers: what every such processor has
// (ARMv8-A). Included by pairs_neon.h and bytes_neon.h, which add those; see scalar.h for what each
// function means.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace skein::cpu::SK_ISA {

struct F32x16 {
  float32x4_t v[4];  // lanes 0-3, 4-7, 8-11, 12-15
};

inline constexpr int kTileTokens = 6;  // 24 accumulators and 4 of weights in 32 registers
inline constexpr bool kPairPanels = false;

template <typename F>
inline F32x16 each(F f) {
  return {{f(0), f(1), f(2), f(3)}};
}

inline F32x16 set1(float x) {
  const float32x4_t v = vdupq_n_f32(x);
  return {{v, v, v, v}};
}
inline F32x16 load(const float* p) {
  return each([&](int i) { return vld1q_f32(p + 4 * i); });
}
inline F32x16 load_n(const float* p, int n) {
  float lane[16] = {};
  for (int i = 0; i < n; ++i) lane[i] = p[i];
  return load(lane);
}
// g++ 12 takes the intrinsics for these two for writers of memory, since they may raise floating
// point exceptions, and stores a loop's sums each time round. An asm without a clobber writes none.
inline float32x4_t widen_f16(uint16x4_t halves) {
  float32x4_t out;
  asm("fcvtl %0.4s, %1.4h" : "=w"(out) : "w"(halves));
  return out;
}
inline float32x4_t multiply_add(float32x4_t sum, float32x4_t a, float32x4_t b) {
  asm("fmla %0.4s, %1.4s, %2.4s" : "+w"(sum) : "w"(a), "w"(b));
  return sum;
}

inline F32x16 load_f16(const uint16_t* p) {
  return each([&](int i) { return widen_f16(vld1_u16(p + 4 * i)); });
}
inline F32x16 load_bf16(const uint16_t* p) {
  return each([&](int i) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p + 4 * i), 16)); });
}
inline F32x16 load_i8(const int8_t* p) {
  const int8x16_t bytes = vld1q_s8(p);
  const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
  return {{vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), vcvtq_f32_s32(vmovl_high_s16(low)),
           vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))), vcvtq_f32_s32(vmovl_high_s16(high))}};
}
// Sixteen bytes in 32 bits each.
struct Words {
  uint32x4_t v[4];
};
inline Words widen_u8(const uint8_t* p) {
  const uint8x16_t bytes = vld1q_u8(p);
  const uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_high_u8(bytes);
  return {{vmovl_u16(vget_low_u16(low)), vmovl_high_u16(low), vmovl_u16(vget_low_u16(high)),
           vmovl_high_u16(high)}};
}
inline F32x16 load_u8(const uint8_t* p) {
  const Words words = widen_u8(p);
  return each([&](int i) { return vcvtq_f32_u32(words.v[i]); });
}
inline F32x16 load_powers(const uint8_t* p) {
  const Words words = widen_u8(p);
  return each([&](int i) { return vreinterpretq_f32_u32(vshlq_n_u32(words.v[i], 23)); });
}
inline void store(float* p, F32x16 a) {
  for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, a.v[i]);
}
inline void store_n(float* p, F32x16 a, int n) {
  float lane[16];
  store(lane, a);
  for (int i = 0; i < n; ++i) p[i] = lane[i];
}
inline F32x16 keep_n(F32x16 a, int n) {
  const int32_t kFirst[4] = {0, 1, 2, 3};
  const int32x4_t first = vld1q_s32(kFirst);
  return each([&](int i) {
    const uint32x4_t kept = vcltq_s32(first, vdupq_n_s32(n - 4 * i));
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a.v[i]), kept));
  });
}

inline F32x16 add(F32x16 a, F32x16 b) {
  return each([&](int i) { return vaddq_f32(a.v[i], b.v[i]); });
}
inline F32x16 sub(F32x16 a, F32x16 b) {
  return each([&](int i) { return vsubq_f32(a.v[i], b.v[i]); });
}
inline F32x16 mul(F32x16 a, F32x16 b) {
  return each([&](int i) { return vmulq_f32(a.v[i], b.v[i]); });
}
inline F32x16 div(F32x16 a, F32x16 b) {
  return each([&](int i) { return vdivq_f32(a.v[i], b.v[i]); });
}
inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
  return each([&](int i) { return multiply_add(c.v[i], a.v[i], b.v[i]); });
}
// The processor's own min and max give NaN when either operand is, not the second.
inline F32x16 max(F32x16 a, F32x16 b) {
  return each([&](int i) { return vbslq_f32(vcgtq_f32(a.v[i], b.v[i]), a.v[i], b.v[i]); });
}
inline F32x16 min(F32x16 a, F32x16 b) {
  return each([&](int i) { return vbslq_f32(vcltq_f32(a.v[i], b.v[i]), a.v[i], b.v[i]); });
}
inline F32x16 abs(F32x16 a) {
  return each([&](int i) { return vabsq_f32(a.v[i]); });
}
inline F32x16 with_sign(F32x16 magnitude, F32x16 sign) {
  return each([&](int i) {
    const uint32x4_t bit = vandq_u32(vreinterpretq_u32_f32(sign.v[i]), vdupq_n_u32(0x80000000u));
    return vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(magnitude.v[i]), bit));
  });
}
inline F32x16 where_less(F32x16 a, F32x16 b, F32x16 yes, F32x16 no) {
  return each([&](int i) { return vbslq_f32(vcltq_f32(a.v[i], b.v[i]), yes.v[i], no.v[i]); });
}
inline F32x16 scale_by_exponent(F32x16 p, F32x16 n_plus_magic) {
  return each([&](int i) {
    const uint32x4_t exponent = vshlq_n_u32(vreinterpretq_u32_f32(n_plus_magic.v[i]), 23);
    return vreinterpretq_f32_u32(vaddq_u32(vreinterpretq_u32_f32(p.v[i]), exponent));
  });
}
inline float reduce_add(F32x16 a) {
  const float32x4_t four = vaddq_f32(vaddq_f32(a.v[0], a.v[2]), vaddq_f32(a.v[1], a.v[3]));
  return vpadds_f32(vadd_f32(vget_low_f32(four), vget_high_f32(four)));
}
inline void prefetch(const void* p) { __builtin_prefetch(p); }

struct NibbleLanes {
  uint32x4_t v[4];
};
inline NibbleLanes load_lanes(const uint8_t* p) {
  const auto four = [&](int i) { return vreinterpretq_u32_u8(vld1q_u8(p + 16 * i)); };
  return {{four(0), four(1), four(2), four(3)}};
}
// A code becomes the places of its number's four bytes.
inline F32x16 take_nibbles(F32x16 numbers, NibbleLanes* codes) {
  const auto bytes = [&](int i) { return vreinterpretq_u8_f32(numbers.v[i]); };
  const uint8x16x4_t table = {{bytes(0), bytes(1), bytes(2), bytes(3)}};
  return each([&](int i) {
    const uint32x4_t code = vandq_u32(codes->v[i], vdupq_n_u32(15));
    const uint32x4_t places = vmlaq_u32(vdupq_n_u32(0x03020100u), code, vdupq_n_u32(0x04040404u));
    codes->v[i] = vshrq_n_u32(codes->v[i], 4);
    return vreinterpretq_f32_u8(vqtbl4q_u8(table, vreinterpretq_u8_u32(places)));
  });
}

// ---- whole numbers ------------------------------------------------------------------------------

// 64 bytes: of 16 rows four inputs each.
struct Bytes {
  uint8x16_t v[4];  // rows 0-3, 4-7, 8-11, 12-15
};
template <typename F>
inline Bytes each_bytes(F f) {
  return {{f(0), f(1), f(2), f(3)}};
}
inline Bytes load_bytes(const uint8_t* p) {
  return each_bytes([&](int i) { return vld1q_u8(p + 16 * i); });
}
inline void store_bytes(uint8_t* p, const Bytes& bytes) {
  for (int i = 0; i < 4; ++i) vst1q_u8(p + 16 * i, bytes.v[i]);
}
inline Bytes low_nibbles(const Bytes& both) {
  return each_bytes([&](int i) { return vandq_u8(both.v[i], vdupq_n_u8(15)); });
}
inline Bytes high_nibbles(const Bytes& both) {
  return each_bytes([&](int i) { return vshrq_n_u8(both.v[i], 4); });
}

struct NibbleTable {
  uint8x16_t code;
};
inline NibbleTable load_table(const int8_t* levels) {
  return {veorq_u8(vreinterpretq_u8_s8(vld1q_s8(levels)), vdupq_n_u8(128))};
}
inline Bytes look_up(const NibbleTable& table, const Bytes& nibbles) {
  return each_bytes([&](int i) { return vqtbl1q_u8(table.code, nibbles.v[i]); });
}

inline void widen_nibbles(const uint8_t* p, uint8_t* out) {
  const Bytes both = load_bytes(p);
  store_bytes(out, low_nibbles(both));
  store_bytes(out + 64, high_nibbles(both));
}
inline void widen_nibbles(const uint8_t* p, const NibbleTable& table, uint8_t* out) {
  const Bytes both = load_bytes(p);
  store_bytes(out, look_up(table, low_nibbles(both)));
  store_bytes(out + 64, look_up(table, high_nibbles(both)));
}

// Numbers to which 1.5 * 2^23 was added as whole numbers of 16 bits.
inline int16x8_t lower_halves(float32x4_t a, float32x4_t b) {
  return vuzp1q_s16(vreinterpretq_s16_f32(a), vreinterpretq_s16_f32(b));
}

// Four records' 64 codes as four times 16 rows of quads: row 4 L + e of quads q is at 16 L + 4 q +
// e.
inline void interleave(const uint8_t* const* records, uint8_t* quads) {
  for (int at = 0; at < 64; at += 16) {
    const uint8x16_t a = vld1q_u8(records[0] + at), b = vld1q_u8(records[1] + at);
    const uint8x16_t c = vld1q_u8(records[2] + at), d = vld1q_u8(records[3] + at);
    const uint16x8_t ab[2] = {vreinterpretq_u16_u8(vzip1q_u8(a, b)),
                              vreinterpretq_u16_u8(vzip2q_u8(a, b))};
    const uint16x8_t cd[2] = {vreinterpretq_u16_u8(vzip1q_u8(c, d)),
                              vreinterpretq_u16_u8(vzip2q_u8(c, d))};
    for (int q = 0; q < 4; ++q)
      vst1q_u8(quads + 64 * q + at, vreinterpretq_u8_u16(q % 2 ? vzip2q_u16(ab[q / 2], cd[q / 2])
                                                               : vzip1q_u16(ab[q / 2], cd[q / 2])));
  }
}

}  // namespace skein::cpu::SK_ISA
