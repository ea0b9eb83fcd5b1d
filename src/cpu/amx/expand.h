// Panels as tiles want them: codes as signed bytes with scales in f32 beside them.
#pragma once

#include <immintrin.h>

#include "cpu/kernels.h"

namespace skein::cpu::SK_ISA {

// Part of a panel, groups [0, groups) of it.
struct CodeTiles {
  int8_t* bytes;   // [group][group / 4 inputs][16 rows][4]
  float* scales;   // [group][16]
  float* offsets;  // [group][16], where the codes are shifted
};

// Where the planes of a panel are; see CodePanels.
struct PanelPlanes {
  PanelPlanes(const Linear& l, int64_t panel) {
    const CodePanels& c = l.codes;
    codes = l.panels + panel * c.panel_bytes(l.in);
    scales = codes + c.scales_at(l.in);
    offsets = codes + c.offsets_at(l.in);
    multipliers = codes + c.multipliers_at(l.in);
    offset_multipliers = codes + c.offset_multipliers_at(l.in);
  }
  const std::byte* codes;
  const std::byte* scales;
  const std::byte* offsets;
  const std::byte* multipliers;
  const std::byte* offset_multipliers;
};

inline void store_bytes(int8_t* out, __m512i bytes) { _mm512_storeu_si512(out, bytes); }

inline void expand_codes(const CodePanels& c, const std::byte* codes, int64_t bytes, int8_t* out) {
  if (c.bits == 8) {
    const __m512i sign = _mm512_set1_epi8(-128);
    for (int64_t i = 0; i < bytes; i += 64)
      store_bytes(out + i, _mm512_xor_si512(_mm512_loadu_si512(codes + i), sign));
    return;
  }
  // Both kinds are sixteen levels to look up.
  alignas(16) int8_t levels[16];
  for (int i = 0; i < 16; ++i) levels[i] = static_cast<int8_t>(c.levels ? c.levels[i] : i - c.bias);
  const __m512i table =
      _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(levels)));
  const __m512i mask = _mm512_set1_epi8(15);
  for (int64_t i = 0; i < bytes; i += 64) {
    const __m512i both = _mm512_loadu_si512(codes + i);
    const __m512i low = _mm512_and_si512(both, mask);
    const __m512i high = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
    store_bytes(out + 2 * i, _mm512_shuffle_epi8(table, low));
    store_bytes(out + 2 * i + 64, _mm512_shuffle_epi8(table, high));
  }
}

// A scale or an offset of 16 rows: halves for a block, times whole numbers for a group.
inline __m512 group_numbers(const CodePanels& c, int64_t group, const std::byte* halves,
                            const std::byte* factors) {
  const int64_t block = group * c.group / c.block;
  const __m512 number = _mm512_cvtph_ps(
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves + block * kPanel * 2)));
  if (c.block == c.group) return number;
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(factors + group * kPanel));
  return _mm512_mul_ps(number, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)));
}

// Groups [first, last) of a panel.
inline void expand_panel(const Linear& l, int64_t panel, int64_t first, int64_t last,
                         const CodeTiles& out) {
  const CodePanels& c = l.codes;
  const PanelPlanes planes(l, panel);
  const int64_t group_bytes = kPanel * c.group * c.bits / 8;
  expand_codes(c, planes.codes + first * group_bytes, (last - first) * group_bytes, out.bytes);
  for (int64_t g = first; g < last; ++g) {
    const int64_t at = (g - first) * kPanel;
    _mm512_storeu_ps(out.scales + at, group_numbers(c, g, planes.scales, planes.multipliers));
    if (c.shifted)
      _mm512_storeu_ps(out.offsets + at,
                       group_numbers(c, g, planes.offsets, planes.offset_multipliers));
  }
}

}  // namespace skein::cpu::SK_ISA
