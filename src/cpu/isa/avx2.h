// The vector layer for AVX2 + FMA + F16C. Included once, by kernels_avx2.cpp, which has set the
// target; see scalar.h for what each function means.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "cpu/isa/pairs.h"

namespace skein::cpu::SK_ISA {

struct F32x16 {
  __m256 low;   // lanes 0-7
  __m256 high;  // lanes 8-15
};

inline constexpr int kTileTokens = 6;  // 12 accumulators, 2 weights, 1 broadcast of 16 registers
inline constexpr bool kPairPanels = false;

// Lane masks: eight of ones, then eight of zeros, read at an offset.
alignas(32) inline constexpr int32_t kMask[24] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                                  -1, -1, -1, -1, -1, -1, -1, -1};

inline __m256i mask_low(int n) {
  const int kept = n < 8 ? n : 8;
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMask + 16 - kept));
}
inline __m256i mask_high(int n) { return mask_low(n > 8 ? n - 8 : 0); }

inline F32x16 set1(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
inline F32x16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline F32x16 load_n(const float* p, int n) {
  return {_mm256_maskload_ps(p, mask_low(n)), _mm256_maskload_ps(p + 8, mask_high(n))};
}
inline F32x16 load_f16(const uint16_t* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
          _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
}
inline __m256 widen_bf16(const uint16_t* p) {
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
inline F32x16 load_bf16(const uint16_t* p) { return {widen_bf16(p), widen_bf16(p + 8)}; }
inline F32x16 widen_i8(__m128i bytes) {
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
          _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(bytes, bytes)))};
}
inline F32x16 load_i8(const int8_t* p) {
  return widen_i8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline F32x16 load_u8(const uint8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)),
          _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_unpackhi_epi64(bytes, bytes)))};
}
inline __m256 eight_powers(__m128i bytes) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu8_epi32(bytes), 23));
}
inline F32x16 load_powers(const uint8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {eight_powers(bytes), eight_powers(_mm_unpackhi_epi64(bytes, bytes))};
}
inline void store(float* p, F32x16 a) {
  _mm256_storeu_ps(p, a.low);
  _mm256_storeu_ps(p + 8, a.high);
}
inline void store_n(float* p, F32x16 a, int n) {
  _mm256_maskstore_ps(p, mask_low(n), a.low);
  _mm256_maskstore_ps(p + 8, mask_high(n), a.high);
}
inline F32x16 keep_n(F32x16 a, int n) {
  return {_mm256_and_ps(a.low, _mm256_castsi256_ps(mask_low(n))),
          _mm256_and_ps(a.high, _mm256_castsi256_ps(mask_high(n)))};
}

inline F32x16 add(F32x16 a, F32x16 b) {
  return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}
inline F32x16 sub(F32x16 a, F32x16 b) {
  return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
}
inline F32x16 mul(F32x16 a, F32x16 b) {
  return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}
inline F32x16 div(F32x16 a, F32x16 b) {
  return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
}
inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
inline F32x16 max(F32x16 a, F32x16 b) {
  return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}
inline F32x16 min(F32x16 a, F32x16 b) {
  return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
}
inline F32x16 abs(F32x16 a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high)};
}
inline F32x16 with_sign(F32x16 magnitude, F32x16 sign) {
  const __m256 bit = _mm256_set1_ps(-0.0f);
  return {_mm256_or_ps(magnitude.low, _mm256_and_ps(bit, sign.low)),
          _mm256_or_ps(magnitude.high, _mm256_and_ps(bit, sign.high))};
}
inline F32x16 where_less(F32x16 a, F32x16 b, F32x16 yes, F32x16 no) {
  return {_mm256_blendv_ps(no.low, yes.low, _mm256_cmp_ps(a.low, b.low, _CMP_LT_OQ)),
          _mm256_blendv_ps(no.high, yes.high, _mm256_cmp_ps(a.high, b.high, _CMP_LT_OQ))};
}
inline __m256 scale_half(__m256 p, __m256 n) {
  return _mm256_castsi256_ps(
      _mm256_add_epi32(_mm256_castps_si256(p), _mm256_slli_epi32(_mm256_castps_si256(n), 23)));
}
inline F32x16 scale_by_exponent(F32x16 p, F32x16 n_plus_magic) {
  return {scale_half(p.low, n_plus_magic.low), scale_half(p.high, n_plus_magic.high)};
}
inline float reduce_add(F32x16 a) {
  const __m256 eight = _mm256_add_ps(a.low, a.high);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
inline void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

struct NibbleLanes {
  __m256i low;
  __m256i high;
};
inline NibbleLanes load_lanes(const uint8_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))};
}
// Both halves of the numbers by the lowest three bits, the fourth chooses.
inline __m256 take_eight(const F32x16& numbers, __m256i* codes) {
  const __m256 out = _mm256_blendv_ps(_mm256_permutevar8x32_ps(numbers.low, *codes),
                                      _mm256_permutevar8x32_ps(numbers.high, *codes),
                                      _mm256_castsi256_ps(_mm256_slli_epi32(*codes, 28)));
  *codes = _mm256_srli_epi32(*codes, 4);
  return out;
}
inline F32x16 take_nibbles(F32x16 numbers, NibbleLanes* codes) {
  return {take_eight(numbers, &codes->low), take_eight(numbers, &codes->high)};
}

// Unsigned bytes times signed bytes would saturate in 16 bits; bytes widened to 16 bits times the
// whole 16-bit activation do not, and one multiplication then takes both planes' worth of it.
struct Quads {
  __m256i even[2];  // inputs 0 and 2 of rows 0-7, 8-15, in 16 bits each
  __m256i odd[2];   // inputs 1 and 3
};
inline __m256i load_bytes(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline void widen(Quads* out, int half, __m256i bytes) {
  out->even[half] = _mm256_and_si256(bytes, _mm256_set1_epi16(0xff));
  out->odd[half] = _mm256_srli_epi16(bytes, 8);
}
inline Quads load_quads(const uint8_t* p) {
  Quads out;
  for (int half = 0; half < 2; ++half) widen(&out, half, load_bytes(p + 32 * half));
  return out;
}
inline void load_nibbles(const uint8_t* p, Quads* low, Quads* high) {
  const __m256i mask = _mm256_set1_epi16(15);
  for (int half = 0; half < 2; ++half) {
    const __m256i both = load_bytes(p + 32 * half);
    low->even[half] = _mm256_and_si256(both, mask);
    high->even[half] = _mm256_and_si256(_mm256_srli_epi16(both, 4), mask);
    low->odd[half] = _mm256_and_si256(_mm256_srli_epi16(both, 8), mask);
    high->odd[half] = _mm256_srli_epi16(both, 12);
  }
}
struct NibbleTable {
  __m256i code;
};
inline NibbleTable load_table(const int8_t* levels) {
  const __m128i signed_levels = _mm_loadu_si128(reinterpret_cast<const __m128i*>(levels));
  return {_mm256_broadcastsi128_si256(_mm_xor_si128(signed_levels, _mm_set1_epi8(-128)))};
}
inline void look_up_nibbles(const uint8_t* p, const NibbleTable& table, Quads* low, Quads* high) {
  const __m256i mask = _mm256_set1_epi8(15);
  for (int half = 0; half < 2; ++half) {
    const __m256i both = load_bytes(p + 32 * half);
    widen(low, half, _mm256_shuffle_epi8(table.code, _mm256_and_si256(both, mask)));
    widen(high, half,
          _mm256_shuffle_epi8(table.code, _mm256_and_si256(_mm256_srli_epi16(both, 4), mask)));
  }
}

inline void store_bytes(uint8_t* p, __m256i bytes) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), bytes);
}
inline void widen_nibbles(const uint8_t* p, uint8_t* out) {
  const __m256i mask = _mm256_set1_epi8(15);
  for (int half = 0; half < 2; ++half) {
    const __m256i both = load_bytes(p + 32 * half);
    store_bytes(out + 32 * half, _mm256_and_si256(both, mask));
    store_bytes(out + 64 + 32 * half, _mm256_and_si256(_mm256_srli_epi16(both, 4), mask));
  }
}
inline void widen_nibbles(const uint8_t* p, const NibbleTable& table, uint8_t* out) {
  widen_nibbles(p, out);
  for (int i = 0; i < 128; i += 32)
    store_bytes(out + i, _mm256_shuffle_epi8(table.code, load_bytes(out + i)));
}

inline constexpr int kByteBias = 0;
inline constexpr int kDotPanels = 4;
inline constexpr int kDotTokens = 4;
inline constexpr int kDotTilePanels = 1;
inline constexpr int kDotTileTokens = 4;

struct Dots {
  __m256i sum[2];
};
inline Dots start_dots(int32_t value) {
  return {{_mm256_set1_epi32(value), _mm256_set1_epi32(value)}};
}
inline __m256i broadcast_quad(const std::byte* p) {
  return _mm256_castps_si256(_mm256_broadcast_ss(reinterpret_cast<const float*>(p)));
}
inline void dot(Dots* dots, const Quads& w, const std::byte* first, const std::byte* second) {
  const __m256i even = broadcast_quad(first), odd = broadcast_quad(second);
  for (int half = 0; half < 2; ++half) {
    const __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(w.even[half], even),
                                         _mm256_madd_epi16(w.odd[half], odd));
    dots->sum[half] = _mm256_add_epi32(dots->sum[half], sum);
  }
}
inline F32x16 to_f32(const Dots& dots) {
  return {_mm256_cvtepi32_ps(dots.sum[0]), _mm256_cvtepi32_ps(dots.sum[1])};
}
inline void store_quads(std::byte* first, std::byte* second, F32x16 plus_magic) {
  const __m256i mask = _mm256_set1_epi32(0xffff);
  // The lanes of two vectors interleave when they are packed: quads 0, 2 | 1, 3.
  const __m256i packed =
      _mm256_packus_epi32(_mm256_and_si256(_mm256_castps_si256(plus_magic.low), mask),
                          _mm256_and_si256(_mm256_castps_si256(plus_magic.high), mask));
  const __m256i quads = _mm256_permute4x64_epi64(packed, _MM_SHUFFLE(3, 1, 2, 0));
  // Each 128 bits hold two quads: x0 x1 x2 x3 y0 y1 y2 y3.
  const __m256i pairs = _mm256_shuffle_epi8(
      quads, _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15,  //
                              0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
  const __m256i planes = _mm256_permute4x64_epi64(pairs, _MM_SHUFFLE(3, 1, 2, 0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(first), _mm256_castsi256_si128(planes));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(second), _mm256_extracti128_si256(planes, 1));
}

// Four records' 64 codes as four times 16 rows of quads: row 4 L + e of quads q is at 16 L + 4 q +
// e.
inline void interleave(const uint8_t* const* records, uint8_t* quads) {
  for (int half = 0; half < 64; half += 32) {
    const __m256i a = load_bytes(records[0] + half), b = load_bytes(records[1] + half);
    const __m256i c = load_bytes(records[2] + half), d = load_bytes(records[3] + half);
    const __m256i ab[2] = {_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b)};
    const __m256i cd[2] = {_mm256_unpacklo_epi8(c, d), _mm256_unpackhi_epi8(c, d)};
    for (int q = 0; q < 4; ++q)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(quads + 64 * q + half),
                          q % 2 ? _mm256_unpackhi_epi16(ab[q / 2], cd[q / 2])
                                : _mm256_unpacklo_epi16(ab[q / 2], cd[q / 2]));
  }
}

}  // namespace skein::cpu::SK_ISA
