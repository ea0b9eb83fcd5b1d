// The vector layer for AVX-512 (F, BW, DQ, VL, VNNI). Included by kernels_avx512.cpp and
// kernels_amx.cpp, which have set the target and the namespace; see scalar.h for what each function
// means.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "cpu/isa/bytes.h"

namespace skein::cpu::SK_ISA {

struct F32x16 {
  __m512 v;
};

inline constexpr int kTileTokens = 12;  // 24 accumulators for two panels of 32 registers
inline constexpr bool kPairPanels = true;

inline __mmask16 first(int n) { return static_cast<__mmask16>((1u << n) - 1u); }

inline F32x16 set1(float x) { return {_mm512_set1_ps(x)}; }
inline F32x16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline F32x16 load_n(const float* p, int n) { return {_mm512_maskz_loadu_ps(first(n), p)}; }
inline F32x16 load_f16(const uint16_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
inline F32x16 load_bf16(const uint16_t* p) {
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16))};
}
inline F32x16 load_i8(const int8_t* p) {
  return {_mm512_cvtepi32_ps(
      _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))};
}
inline F32x16 load_u8(const uint8_t* p) {
  return {_mm512_cvtepi32_ps(
      _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))};
}
inline F32x16 load_powers(const uint8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu8_epi32(bytes), 23))};
}
inline void store(float* p, F32x16 a) { _mm512_storeu_ps(p, a.v); }
inline void store_n(float* p, F32x16 a, int n) { _mm512_mask_storeu_ps(p, first(n), a.v); }
inline F32x16 keep_n(F32x16 a, int n) { return {_mm512_maskz_mov_ps(first(n), a.v)}; }

inline F32x16 add(F32x16 a, F32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
inline F32x16 sub(F32x16 a, F32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline F32x16 mul(F32x16 a, F32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline F32x16 div(F32x16 a, F32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline F32x16 max(F32x16 a, F32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
inline F32x16 min(F32x16 a, F32x16 b) { return {_mm512_min_ps(a.v, b.v)}; }
inline F32x16 abs(F32x16 a) { return {_mm512_andnot_ps(_mm512_set1_ps(-0.0f), a.v)}; }
inline F32x16 with_sign(F32x16 magnitude, F32x16 sign) {
  return {_mm512_or_ps(magnitude.v, _mm512_and_ps(_mm512_set1_ps(-0.0f), sign.v))};
}
inline F32x16 where_less(F32x16 a, F32x16 b, F32x16 yes, F32x16 no) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), no.v, yes.v)};
}
inline F32x16 scale_by_exponent(F32x16 p, F32x16 n_plus_magic) {
  return {_mm512_castsi512_ps(_mm512_add_epi32(
      _mm512_castps_si512(p.v), _mm512_slli_epi32(_mm512_castps_si512(n_plus_magic.v), 23)))};
}
inline float reduce_add(F32x16 a) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
inline void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

struct NibbleLanes {
  __m512i v;
};
inline NibbleLanes load_lanes(const uint8_t* p) { return {_mm512_loadu_si512(p)}; }
inline F32x16 take_nibbles(F32x16 numbers, NibbleLanes* codes) {
  const __m512 out = _mm512_permutexvar_ps(codes->v, numbers.v);  // by the lowest four bits
  codes->v = _mm512_srli_epi32(codes->v, 4);
  return {out};
}

struct Quads {
  __m512i v;
};
inline Quads load_quads(const uint8_t* p) { return {_mm512_loadu_si512(p)}; }
inline void load_nibbles(const uint8_t* p, Quads* low, Quads* high) {
  const __m512i both = _mm512_loadu_si512(p), mask = _mm512_set1_epi8(15);
  low->v = _mm512_and_si512(both, mask);
  high->v = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
}
struct NibbleTable {
  __m512i code;
};
inline NibbleTable load_table(const int8_t* levels) {
  const __m128i signed_levels = _mm_loadu_si128(reinterpret_cast<const __m128i*>(levels));
  return {_mm512_broadcast_i32x4(_mm_xor_si128(signed_levels, _mm_set1_epi8(-128)))};
}
inline void look_up_nibbles(const uint8_t* p, const NibbleTable& table, Quads* low, Quads* high) {
  load_nibbles(p, low, high);
  low->v = _mm512_shuffle_epi8(table.code, low->v);
  high->v = _mm512_shuffle_epi8(table.code, high->v);
}

inline void widen_nibbles(const uint8_t* p, uint8_t* out) {
  Quads low, high;
  load_nibbles(p, &low, &high);
  _mm512_storeu_si512(out, low.v);
  _mm512_storeu_si512(out + 64, high.v);
}
inline void widen_nibbles(const uint8_t* p, const NibbleTable& table, uint8_t* out) {
  Quads low, high;
  look_up_nibbles(p, table, &low, &high);
  _mm512_storeu_si512(out, low.v);
  _mm512_storeu_si512(out + 64, high.v);
}

inline constexpr int kByteBias = 0;
inline constexpr int kDotPanels = 4;
inline constexpr int kDotTokens = 8;
// 16 sums of whole numbers and 8 of f32; a broadcast serves two panels, which the load ports need.
inline constexpr int kDotTilePanels = 2;
inline constexpr int kDotTileTokens = 4;

// The dot product takes signed bytes, so an activation is high * 256 + low, both signed, with a sum
// for each.
struct Dots {
  __m512i high;
  __m512i low;
};
inline Dots start_dots(int32_t value) { return {_mm512_setzero_si512(), _mm512_set1_epi32(value)}; }
inline __m512i broadcast_quad(const std::byte* p) {
  return _mm512_castps_si512(_mm512_set1_ps(*reinterpret_cast<const float*>(p)));
}
// g++ 12 copies the sum around its intrinsic, two moves for each product, which is more than the
// processor can take in beside them.
inline void add_products(__m512i* sum, __m512i unsigned_bytes, __m512i signed_bytes) {
  asm("vpdpbusd %2, %1, %0" : "+v"(*sum) : "v"(unsigned_bytes), "v"(signed_bytes));
}
inline void dot(Dots* dots, const Quads& w, const std::byte* first, const std::byte* second) {
  add_products(&dots->high, w.v, broadcast_quad(first));
  add_products(&dots->low, w.v, broadcast_quad(second));
}
// The same for activations of one byte.
inline constexpr int kByteTilePanels = 2;
inline constexpr int kByteTileTokens = 6;
struct ByteDots {
  __m512i sum;
};
inline ByteDots start_byte_dots(int32_t value) { return {_mm512_set1_epi32(value)}; }
inline void dot_bytes(ByteDots* dots, const Quads& w, const std::byte* x) {
  add_products(&dots->sum, w.v, broadcast_quad(x));
}
inline F32x16 to_f32(const ByteDots& dots) { return {_mm512_cvtepi32_ps(dots.sum)}; }
inline void store_low_bytes(std::byte* p, F32x16 plus_magic) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm512_cvtepi32_epi8(_mm512_castps_si512(plus_magic.v)));
}

inline F32x16 to_f32(const Dots& dots) {
  return {_mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(dots.high, 8), dots.low))};
}
inline void store_quads(std::byte* first, std::byte* second, F32x16 plus_magic) {
  const __m256i x = _mm512_cvtepi32_epi16(_mm512_castps_si512(plus_magic.v));
  const __m256i high = _mm256_srai_epi16(_mm256_add_epi16(x, _mm256_set1_epi16(128)), 8);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(first), _mm256_cvtepi16_epi8(high));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(second), _mm256_cvtepi16_epi8(x));
}

// Four records' 64 codes as four times 16 rows of quads: row 4 L + e of quads q is at 16 L + 4 q +
// e.
inline void interleave(const uint8_t* const* records, uint8_t* quads) {
  const __m512i a = _mm512_loadu_si512(records[0]), b = _mm512_loadu_si512(records[1]);
  const __m512i c = _mm512_loadu_si512(records[2]), d = _mm512_loadu_si512(records[3]);
  const __m512i ab[2] = {_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b)};
  const __m512i cd[2] = {_mm512_unpacklo_epi8(c, d), _mm512_unpackhi_epi8(c, d)};
  for (int q = 0; q < 4; ++q)
    _mm512_storeu_si512(quads + 64 * q, q % 2 ? _mm512_unpackhi_epi16(ab[q / 2], cd[q / 2])
                                              : _mm512_unpacklo_epi16(ab[q / 2], cd[q / 2]));
}

}  // namespace skein::cpu::SK_ISA
