// Products of several tokens with panels of codes in the tile registers: the sums of
// kernels/codes.h, bit for bit, since whole numbers have no order.
//
// A tile multiplication takes 16 cycles for 16 tokens by 16 rows by one group of 32, once for each
// of an activation's two bytes. Their sums then leave for the vector registers, where they meet the
// group's scale: 16 tokens by shift, add, convert and multiply-add, some 35 cycles. Two sets of
// sums in turn let the one overlap the other. That they leave at every group is what it costs to
// keep the scales of the file; counted, not measured: 200 multiply-adds a cycle.
#pragma once

#include "cpu/amx/expand.h"
#include "cpu/kernels/finish.h"

namespace skein::cpu::SK_ISA {

inline constexpr int64_t kTokens = 16;  // of a tile
// Activations of this many tokens and inputs stay in an L2 cache while all panels pass.
inline constexpr int64_t kCodeTokens = 256;
inline constexpr int64_t kCodeInputs = 1024;

// Sums as they leave the tiles, and a panel's part of kCodeInputs. In a thread's scratch.
struct alignas(64) CodeScratch {
  int32_t sums[2][2][kTokens * kPanel];  // [in turn][byte of the activation][token][row]
  float scales[kCodeInputs / 16 * kPanel];
  float offsets[kCodeInputs / 16 * kPanel];
  int8_t bytes[kCodeInputs * kPanel];
};
static_assert(sizeof(CodeScratch) <= kLinearScratch * sizeof(float));

// The activations of a tile's tokens.
struct TokenRows {
  const std::byte* first;
  int64_t stride;
  QuantisedRow row;

  const std::byte* high(int64_t input) const { return first + input; }
  const std::byte* low(int64_t input) const { return first + row.second_plane() + input; }
  float sum(int64_t token, int64_t group) const {
    return *reinterpret_cast<const float*>(first + token * stride + row.sums() + group * 4);
  }
  float scale(int64_t token) const {
    return *reinterpret_cast<const float*>(first + token * stride + row.scale());
  }
};

template <int kHighSums, int kLowSums>
inline void multiply_group(const TokenRows& x, int64_t input, const int8_t* weights,
                           int32_t (*sums)[kTokens * kPanel]) {
  zero_tile<kHighSums>();
  zero_tile<kLowSums>();
  load_tile<6>(weights, 64);
  load_tile<4>(x.high(input), x.stride);
  multiply_bytes<kHighSums, 4, 6>();
  load_tile<5>(x.low(input), x.stride);
  multiply_bytes<kLowSums, 5, 6>();
  store_tile<kHighSums>(sums[0], 64);
  store_tile<kLowSums>(sums[1], 64);
}

template <bool kShifted>
inline void add_sums(const TokenRows& x, int64_t group, const int32_t (*sums)[kTokens * kPanel],
                     const float* scales, const float* offsets, __m512 (&total)[kTokens]) {
  const __m512 scale = _mm512_loadu_ps(scales);
  const __m512 offset = kShifted ? _mm512_loadu_ps(offsets) : scale;
#pragma GCC unroll 16
  for (int t = 0; t < kTokens; ++t) {
    const __m512i high = _mm512_slli_epi32(_mm512_load_si512(sums[0] + t * kPanel), 8);
    const __m512i sum = _mm512_add_epi32(high, _mm512_load_si512(sums[1] + t * kPanel));
    total[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, total[t]);
    if constexpr (kShifted)
      total[t] = _mm512_fmadd_ps(_mm512_set1_ps(x.sum(t, group)), offset, total[t]);
  }
}

// Groups [first, last) of a panel, expanded in `scratch`, for `count` tokens from `token` on. The
// rows of tokens beyond them are there and mean nothing.
template <bool kShifted>
inline void tile_of_codes(const Linear& l, int64_t panel, int64_t token, int64_t count,
                          int64_t first, int64_t last, CodeScratch& scratch) {
  const int64_t size = l.codes.group;
  const QuantisedRow row = {.in = l.in, .group = size};
  const TokenRows x = {l.quantised + token * row.bytes(), row.bytes(), row};
  __m512 total[kTokens];
#pragma GCC unroll 16
  for (int t = 0; t < kTokens; ++t)
    total[t] = first == 0 || t >= count ? _mm512_setzero_ps() : resume(l, panel, token + t).v;
  const auto weights = [&](int64_t g) { return scratch.bytes + (g - first) * size * kPanel; };
  const auto add = [&](int64_t g) {
    const int64_t at = (g - first) * kPanel;
    add_sums<kShifted>(x, g, scratch.sums[(g - first) % 2], scratch.scales + at,
                       scratch.offsets + at, total);
  };
  multiply_group<0, 1>(x, first * size, weights(first), scratch.sums[0]);
  for (int64_t g = first + 1; g < last; ++g) {
    if ((g - first) % 2)
      multiply_group<2, 3>(x, g * size, weights(g), scratch.sums[1]);
    else
      multiply_group<0, 1>(x, g * size, weights(g), scratch.sums[0]);
    add(g - 1);
  }
  add(last - 1);
  const bool done = last * size == l.in;
#pragma GCC unroll 16
  for (int t = 0; t < kTokens; ++t) {
    if (t >= count) continue;
    if (done)
      finish(l, mul({total[t]}, set1(x.scale(t))), panel, token + t);
    else
      park(l, {total[t]}, panel, token + t);
  }
}

template <bool kShifted>
inline void tiles_of_codes(const Linear& l, Range panels) {
  const int64_t size = l.codes.group;
  TileConfig config;
  for (const int sums : {0, 1, 2, 3}) config.set(sums, {16, 64});
  for (const int x : {4, 5}) config.set(x, {16, static_cast<uint16_t>(size)});
  config.set(6, {static_cast<uint8_t>(size / 4), 64});
  const Tiles tiles(config);
  auto& scratch = *reinterpret_cast<CodeScratch*>(l.scratch);
  const CodeTiles expanded = {scratch.bytes, scratch.scales, scratch.offsets};
  const int64_t groups = l.in / size, groups_in_block = kCodeInputs / size;
  for (int64_t token = 0; token < l.tokens; token += kCodeTokens) {
    const int64_t end = l.tokens - token < kCodeTokens ? l.tokens : token + kCodeTokens;
    for (int64_t first = 0; first < groups; first += groups_in_block) {
      const int64_t last = groups - first < groups_in_block ? groups : first + groups_in_block;
      for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
        expand_panel(l, panel, first, last, expanded);
        for (int64_t t = token; t < end; t += kTokens)
          tile_of_codes<kShifted>(l, panel, t, end - t < kTokens ? end - t : kTokens, first, last,
                                  scratch);
      }
    }
  }
}

}  // namespace skein::cpu::SK_ISA
