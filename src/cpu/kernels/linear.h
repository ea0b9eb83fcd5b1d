// The matrix product, the inner loop of everything.
//
// One token (decode): memory decides. Four panels at once give four independent chains of
// multiply-adds, which hides their latency of 4 cycles, and four streams for the prefetchers.
// Many tokens (prefill, batch): arithmetic decides. A tile of two panels by kTileTokens tokens
// stays in registers; activations are first regrouped to [input][token of the tile], because
// reading them in place puts a tile's rows, often a multiple of 4 KiB apart, into one set of the L1
// cache. Either way an output is one chain over ascending inputs, parked in y between blocks of
// inputs (f32 survives that unchanged), so the shape of the tile does not show in the result.
// Panels of codes are another matter: codes.h; matrices in records too: sparse.h.
#pragma once

#include "cpu/kernels/codes.h"
#include "cpu/kernels/numbers.h"
#include "cpu/kernels/sparse.h"

namespace skein::cpu::SK_ISA {

// Asks for the weights of some inputs ahead, once for each cache line. The processor's own
// prefetchers start anew with each panel, which left a decode step at 75 % of a plain read where
// this gives 98 % (2-core Sapphire Rapids, 24 KiB panels, two threads).
template <typename Element>
inline void fetch_ahead(const Element* weights, int64_t k) {
  constexpr int64_t kBytesAhead = 2048;
  constexpr int64_t kInputsInLine = 64 / (kPanel * static_cast<int64_t>(sizeof(Element)));
  if (k % kInputsInLine == 0) prefetch(reinterpret_cast<const char*>(weights) + kBytesAhead);
}

template <typename Panel, int kPanels>
inline void one_token(const Linear& l, int64_t panel) {
  using Element = typename Panel::Element;
  const int64_t panel_size = l.in * kPanel;
  const auto* w = reinterpret_cast<const Element*>(l.panels) + panel * panel_size;
  F32x16 sum[kPanels];
  for (int p = 0; p < kPanels; ++p) sum[p] = set1(0.0f);
  for (int64_t k = 0; k < l.in; ++k) {
    const F32x16 x = set1(l.x[k]);
    for (int p = 0; p < kPanels; ++p) {
      const Element* weights = w + p * panel_size + k * kPanel;
      fetch_ahead(weights, k);
      sum[p] = fma(Panel::read(weights), x, sum[p]);
    }
  }
  for (int p = 0; p < kPanels; ++p) finish(l, sum[p], panel + p, 0);
}

// Inputs [first, first + count) for kTokens tokens from `token` on; xs: [count][kTokens].
template <typename Panel, int kPanels, int kTokens>
inline void tile(const Linear& l, int64_t panel, int64_t token, const float* xs, int64_t first,
                 int64_t count) {
  using Element = typename Panel::Element;
  const int64_t panel_size = l.in * kPanel;
  const auto* w = reinterpret_cast<const Element*>(l.panels) + panel * panel_size + first * kPanel;
  F32x16 sum[kPanels][kTokens];
  for (int p = 0; p < kPanels; ++p)
    for (int t = 0; t < kTokens; ++t)
      sum[p][t] = first == 0 ? set1(0.0f) : resume(l, panel + p, token + t);
  for (int64_t k = 0; k < count; ++k) {
    F32x16 weights[kPanels];
    for (int p = 0; p < kPanels; ++p) {
      const Element* place = w + p * panel_size + k * kPanel;
      // Few tokens pass over the weights once, from memory; many find them in the cache.
      if constexpr (kTokens < kTileTokens) fetch_ahead(place, k);
      weights[p] = Panel::read(place);
    }
    for (int t = 0; t < kTokens; ++t) {
      const F32x16 x = set1(xs[k * kTokens + t]);
      for (int p = 0; p < kPanels; ++p) sum[p][t] = fma(weights[p], x, sum[p][t]);
    }
  }
  const bool last = first + count == l.in;
  for (int p = 0; p < kPanels; ++p) {
    for (int t = 0; t < kTokens; ++t) {
      if (last) {
        finish(l, sum[p][t], panel + p, token + t);
      } else {
        park(l, sum[p][t], panel + p, token + t);
      }
    }
  }
}

// The tile widths tried in this order: the widest first, the rest in ever smaller ones.
inline int64_t tile_width(int64_t tokens) {
  if (tokens >= kTileTokens) return kTileTokens;
  if (kTileTokens > 8 && tokens >= 8) return 8;
  if (kTileTokens > 4 && tokens >= 4) return 4;
  return tokens >= 2 ? 2 : 1;
}

template <typename Panel, int kPanels>
inline void tile_of(int64_t width, const Linear& l, int64_t panel, int64_t token, const float* xs,
                    int64_t first, int64_t count) {
  switch (width) {
    case kTileTokens: return tile<Panel, kPanels, kTileTokens>(l, panel, token, xs, first, count);
    case 1: return tile<Panel, kPanels, 1>(l, panel, token, xs, first, count);
    case 2: return tile<Panel, kPanels, 2>(l, panel, token, xs, first, count);
    default: break;
  }
  if constexpr (kTileTokens > 4) {
    if (width == 4) return tile<Panel, kPanels, 4>(l, panel, token, xs, first, count);
  }
  if constexpr (kTileTokens > 8) {
    if (width == 8) return tile<Panel, kPanels, 8>(l, panel, token, xs, first, count);
  }
}

// kWidth rows of x, `count` inputs of each, as [input][kWidth]. Some inputs of all rows at a time,
// so that the lines that are written stay in the L1 cache until they are full.
template <int kWidth>
inline void interleave_tokens(const float* x, int64_t x_stride, int64_t count, float* out) {
  constexpr int64_t kInputs = 64;
  for (int64_t k = 0; k < count; k += kInputs) {
    const int64_t end = count - k < kInputs ? count : k + kInputs;
    for (int i = 0; i < kWidth; ++i)
      for (int64_t j = k; j < end; ++j) out[j * kWidth + i] = x[i * x_stride + j];
  }
}

// Copies tokens [token, token + tokens) by inputs [first, first + count) into tiles.
inline void regroup(const Linear& l, int64_t token, int64_t tokens, int64_t first, int64_t count,
                    float* xs) {
  for (int64_t t = 0; t < tokens;) {
    const int64_t width = tile_width(tokens - t);
    const float* x = l.x + (token + t) * l.x_stride + first;
    float* out = xs + t * count;
    if (width == kTileTokens) {
      interleave_tokens<kTileTokens>(x, l.x_stride, count, out);
    } else if (width == 8) {
      interleave_tokens<8>(x, l.x_stride, count, out);
    } else if (width == 4) {
      interleave_tokens<4>(x, l.x_stride, count, out);
    } else if (width == 2) {
      interleave_tokens<2>(x, l.x_stride, count, out);
    } else {
      interleave_tokens<1>(x, l.x_stride, count, out);
    }
    t += width;
  }
}

template <typename Panel>
inline void many_tokens(const Linear& l, Range panels) {
  for (int64_t token = 0; token < l.tokens; token += kBlockTokens) {
    const int64_t tokens = l.tokens - token < kBlockTokens ? l.tokens - token : kBlockTokens;
    for (int64_t first = 0; first < l.in; first += kBlockInputs) {
      const int64_t count = l.in - first < kBlockInputs ? l.in - first : kBlockInputs;
      regroup(l, token, tokens, first, count, l.scratch);
      for (int64_t panel = panels.begin; panel < panels.end;) {
        const bool pair = kPairPanels && panel + 1 < panels.end;
        for (int64_t t = 0; t < tokens;) {
          const int64_t width = tile_width(tokens - t);
          const float* xs = l.scratch + t * count;
          if (pair) {
            tile_of<Panel, 2>(width, l, panel, token + t, xs, first, count);
          } else {
            tile_of<Panel, 1>(width, l, panel, token + t, xs, first, count);
          }
          t += width;
        }
        panel += pair ? 2 : 1;
      }
    }
  }
}

template <typename Panel>
inline void linear_of(const Linear& l, Range panels) {
  if (l.tokens != 1) return many_tokens<Panel>(l, panels);
  int64_t panel = panels.begin;
  for (; panel + 4 <= panels.end; panel += 4) one_token<Panel, 4>(l, panel);
  for (; panel < panels.end; ++panel) one_token<Panel, 1>(l, panel);
}

inline void linear(const Linear& l, Range panels) {
  if (l.records) return linear_of_records(l, panels);
  switch (l.type) {
    case PanelType::f32: return linear_of<PanelF32>(l, panels);
    case PanelType::f16: return linear_of<PanelF16>(l, panels);
    case PanelType::bf16: return linear_of<PanelBf16>(l, panels);
    case PanelType::codes: return linear_of_codes(l, panels);
  }
}

}  // namespace skein::cpu::SK_ISA
