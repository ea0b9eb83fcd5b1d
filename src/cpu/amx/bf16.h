// Products in bf16 tiles, the `fast` mode: activations and weights are rounded to bf16, products
// are exact and summed in f32. A result depends on its token and its row alone: the tile
// instruction adds the inputs in the order of their pairs, whatever else is in the tiles.
//
// A block of 2 x 2 tiles (32 tokens by 32 rows) reads four tiles for four multiplications, which is
// what the load ports allow at full rate. Weights are made bf16 once for all tokens of a block.
#pragma once

#include "cpu/amx/expand.h"
#include "cpu/kernels/finish.h"
#include "cpu/kernels/levels.h"

namespace skein::cpu::SK_ISA {

// Tokens and inputs of activations that stay in an L2 cache while all panels pass.
inline constexpr int64_t kFastTokens = 512;
inline constexpr int64_t kFastInputs = 1024;
inline constexpr int64_t kPair = 2 * kPanel;  // bf16 numbers in a tile's row: two inputs of 16 rows

struct alignas(64) FastScratch {
  uint16_t weights[2][kFastInputs * kPanel];  // [panel][input / 2][16 rows][2]
  float sums[4][kPanel * 16];                 // tiles that do not fit into y as they are
};
static_assert(sizeof(FastScratch) <= kLinearScratch * sizeof(float));

// Inputs k and k + 1 of 16 rows.
inline void store_pair(uint16_t* out, __m512 even, __m512 odd) {
  const __m512i halves = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(odd, even));
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  _mm512_storeu_si512(out, _mm512_permutexvar_epi16(order, halves));
}

// Inputs [first, first + count) of a panel of numbers. Odd ends get a zero beside them.
template <typename Element, typename Read>
inline void round_numbers(const Element* panel, int64_t count, Read read, uint16_t* out) {
  for (int64_t k = 0; k < count; k += 2)
    store_pair(out + k * kPanel, read(panel + k * kPanel).v,
               k + 1 < count ? read(panel + (k + 1) * kPanel).v : _mm512_setzero_ps());
}

// One of four neighbouring codes of 16 rows, as a level.
template <int kPlace>
inline __m512 level(__m512i quads, __m512i bias) {
  const __m512i code =
      _mm512_and_si512(_mm512_srli_epi32(quads, 8 * kPlace), _mm512_set1_epi32(255));
  return _mm512_cvtepi32_ps(_mm512_sub_epi32(code, bias));
}

inline void round_quads(__m512i quads, __m512i bias, __m512 scale, __m512 offset, uint16_t* out) {
  const auto weight = [&](__m512 x) { return _mm512_fmadd_ps(x, scale, offset); };
  store_pair(out, weight(level<0>(quads, bias)), weight(level<1>(quads, bias)));
  store_pair(out + kPair, weight(level<2>(quads, bias)), weight(level<3>(quads, bias)));
}

inline void round_codes(const Linear& l, int64_t panel, int64_t first, int64_t count,
                        uint16_t* out) {
  const CodePanels& c = l.codes;
  const PanelPlanes planes(l, panel);
  const __m512i bias = _mm512_set1_epi32(c.bias), mask = _mm512_set1_epi8(15);
  __m512i table = _mm512_setzero_si512();
  if (c.levels)
    table = _mm512_broadcast_i32x4(_mm_xor_si128(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(c.levels)), _mm_set1_epi8(-128)));
  for (int64_t k = first; k < first + count; k += c.group) {
    const int64_t g = k / c.group;
    const __m512 scale = group_numbers(c, g, planes.scales, planes.multipliers);
    const __m512 offset = c.shifted ? group_numbers(c, g, planes.offsets, planes.offset_multipliers)
                                    : _mm512_setzero_ps();
    const std::byte* codes = planes.codes + kPanel * k * c.bits / 8;
    for (int i = 0; i < c.group; codes += 64) {
      const __m512i both = _mm512_loadu_si512(codes);
      if (c.bits == 8) {
        round_quads(both, bias, scale, offset, out);
        i += 4, out += 2 * kPair;
        continue;
      }
      __m512i low = _mm512_and_si512(both, mask);
      __m512i high = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
      if (c.levels) low = _mm512_shuffle_epi8(table, low), high = _mm512_shuffle_epi8(table, high);
      round_quads(low, bias, scale, offset, out);
      round_quads(high, bias, scale, offset, out + 2 * kPair);
      i += 8, out += 4 * kPair;
    }
  }
}

// `count` inputs of a panel, whole blocks.
template <typename Panel>
inline void round_levels(const Panel& panel, int64_t count, uint16_t* out) {
  for (int64_t k = 0; k < count; k += Panel::kStep) {
    auto weights = panel.load_weights(k);
    for (int i = 0; i < Panel::kStep; i += 2, out += kPair) {
      const F32x16 even = Panel::next(&weights);
      store_pair(out, even.v, Panel::next(&weights).v);
    }
  }
}

// Inputs [first, first + count) of a panel in bf16; `count` rounded up to 32 with zeros.
inline void round_panel(const Linear& l, int64_t panel, int64_t first, int64_t count,
                        uint16_t* out) {
  const int64_t at = (panel * l.in + first) * kPanel;
  switch (l.type) {
    case PanelType::codes: return round_codes(l, panel, first, count, out);
    case PanelType::nf4: return round_levels(PanelNf4(l, panel, first), count, out);
    case PanelType::mxfp4: return round_levels(PanelMxfp4(l, panel, first), count, out);
    case PanelType::int8: return round_levels(PanelInt8(l, panel, first), count, out);
    case PanelType::f32:
      round_numbers(reinterpret_cast<const float*>(l.panels) + at, count, load, out);
      break;
    case PanelType::f16:
      round_numbers(reinterpret_cast<const uint16_t*>(l.panels) + at, count, load_f16, out);
      break;
    case PanelType::bf16:
      round_numbers(reinterpret_cast<const uint16_t*>(l.panels) + at, count, load_bf16, out);
      break;
  }
  for (int64_t k = (count + 1) / 2 * 2; k % 32 != 0; k += 2)
    _mm512_storeu_si512(out + k * kPanel, _mm512_setzero_si512());
}

// Where a tile of sums is kept between blocks of inputs: in y, where it lies as a tile does, or
// beside it.
struct SumPlace {
  float* at;
  int64_t stride;  // bytes
};

// kTokenTiles by kPanels tiles: sums in registers 0 to 3, tokens in 4 and 5, weights in 6 and 7.
template <int kTokenTiles, int kPanels>
inline void multiply_block(const std::byte* x, int64_t x_stride, const FastScratch& scratch,
                           int64_t steps, bool first, const SumPlace* places) {
  if (first) {
    zero_tile<0>();
    if constexpr (kPanels > 1) zero_tile<1>();
    if constexpr (kTokenTiles > 1) zero_tile<2>();
    if constexpr (kPanels > 1 && kTokenTiles > 1) zero_tile<3>();
  } else {
    load_tile<0>(places[0].at, places[0].stride);
    if constexpr (kPanels > 1) load_tile<1>(places[1].at, places[1].stride);
    if constexpr (kTokenTiles > 1) load_tile<2>(places[2].at, places[2].stride);
    if constexpr (kPanels > 1 && kTokenTiles > 1) load_tile<3>(places[3].at, places[3].stride);
  }
  for (int64_t step = 0; step < steps; ++step) {
    load_tile<4>(x + step * 64, x_stride);
    load_tile<6>(scratch.weights[0] + step * 32 * kPanel, 64);
    multiply_bf16<0, 4, 6>();
    if constexpr (kPanels > 1) {
      load_tile<7>(scratch.weights[1] + step * 32 * kPanel, 64);
      multiply_bf16<1, 4, 7>();
    }
    if constexpr (kTokenTiles > 1) {
      load_tile<5>(x + 16 * x_stride + step * 64, x_stride);
      multiply_bf16<2, 5, 6>();
      if constexpr (kPanels > 1) multiply_bf16<3, 5, 7>();
    }
  }
  store_tile<0>(places[0].at, places[0].stride);
  if constexpr (kPanels > 1) store_tile<1>(places[1].at, places[1].stride);
  if constexpr (kTokenTiles > 1) store_tile<2>(places[2].at, places[2].stride);
  if constexpr (kPanels > 1 && kTokenTiles > 1) store_tile<3>(places[3].at, places[3].stride);
}

struct FastBlock {
  int64_t token, tokens;  // at most 32
  int64_t panel, panels;  // at most 2
  int64_t first, count;   // inputs
};

inline void fast_block(const Linear& l, const FastBlock& b, FastScratch& scratch) {
  SumPlace places[4] = {};
  bool whole[4] = {};
  for (int64_t t = 0; t < (b.tokens + 15) / 16; ++t) {
    for (int64_t p = 0; p < b.panels; ++p) {
      const int64_t i = 2 * t + p, row = (b.panel + p) * kPanel;
      whole[i] = b.tokens - 16 * t >= 16 && l.out - row >= kPanel;
      float* y = l.y + (b.token + 16 * t) * l.y_stride + row;
      places[i] = whole[i] ? SumPlace{y, l.y_stride * 4} : SumPlace{scratch.sums[i], 64};
      if (whole[i] || b.first == 0) continue;
      for (int64_t r = 0; r < 16 && 16 * t + r < b.tokens; ++r)
        store(scratch.sums[i] + r * kPanel, resume(l, b.panel + p, b.token + 16 * t + r));
    }
  }
  const FastRow row = {.in = l.in};
  const std::byte* x = l.quantised + b.token * row.bytes() + b.first * 2;
  const int64_t steps = (b.count + 31) / 32;
  const bool first = b.first == 0;
  if (b.tokens > 16 && b.panels > 1)
    multiply_block<2, 2>(x, row.bytes(), scratch, steps, first, places);
  else if (b.tokens > 16)
    multiply_block<2, 1>(x, row.bytes(), scratch, steps, first, places);
  else if (b.panels > 1)
    multiply_block<1, 2>(x, row.bytes(), scratch, steps, first, places);
  else
    multiply_block<1, 1>(x, row.bytes(), scratch, steps, first, places);
  const bool last = b.first + b.count == l.in;
  const bool plain = !l.bias && l.function == ops::Unary::none;
  for (int64_t t = 0; t < (b.tokens + 15) / 16; ++t) {
    for (int64_t p = 0; p < b.panels; ++p) {
      const int64_t i = 2 * t + p;
      if (whole[i] && (!last || plain)) continue;  // it is where it belongs
      for (int64_t r = 0; r < 16 && 16 * t + r < b.tokens; ++r) {
        const int64_t token = b.token + 16 * t + r;
        const F32x16 sum = load(places[i].at + r * places[i].stride / 4);
        last ? finish(l, sum, b.panel + p, token) : park(l, sum, b.panel + p, token);
      }
    }
  }
}

inline void linear_fast(const Linear& l, Range panels) {
  TileConfig config;
  for (int tile = 0; tile < 8; ++tile) config.set(tile, {16, 64});
  const Tiles tiles(config);
  auto& scratch = *reinterpret_cast<FastScratch*>(l.scratch);
  for (int64_t token = 0; token < l.tokens; token += kFastTokens) {
    const int64_t end = l.tokens - token < kFastTokens ? l.tokens : token + kFastTokens;
    for (int64_t first = 0; first < l.in; first += kFastInputs) {
      const int64_t count = l.in - first < kFastInputs ? l.in - first : kFastInputs;
      for (int64_t panel = panels.begin; panel < panels.end; panel += 2) {
        const int64_t pair = panels.end - panel < 2 ? 1 : 2;
        for (int64_t p = 0; p < pair; ++p)
          round_panel(l, panel + p, first, count, scratch.weights[p]);
        for (int64_t t = token; t < end; t += 32)
          fast_block(l, {t, end - t < 32 ? end - t : 32, panel, pair, first, count}, scratch);
      }
    }
  }
}

inline void round_rows(const RoundRows& q, Range rows) {
  const FastRow row = {.in = q.in};
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const float* x = q.x + r * q.x_stride;
    auto* out = reinterpret_cast<uint16_t*>(q.out + r * row.bytes());
    for (int64_t k = 0; k < row.padded(); k += 16) {
      const int64_t left = q.in - k;
      const F32x16 v = left >= 16 ? load(x + k)
                       : left > 0 ? load_n(x + k, static_cast<int>(left))
                                  : set1(0.0f);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + k),
                          reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v.v)));
    }
  }
}

}  // namespace skein::cpu::SK_ISA
