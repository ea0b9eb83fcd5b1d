// The matrix product, the inner loop of everything.
//
// One token (decode): memory decides. Four panels at once give four independent chains of
// multiply-adds, which hides their latency of 4 cycles, and four streams for the prefetchers.
// Many tokens (prefill, batch): arithmetic decides. A tile of two panels by kTileTokens tokens
// stays in registers; activations are first regrouped to [input][token of the tile], because
// reading them in place puts a tile's rows, often a multiple of 4 KiB apart, into one set of the L1
// cache. What is not f32 takes instructions that the multiply-adds then lack, a sixth of them for
// halves: only the first tile over a panel does that and leaves f32 for the others. To make them
// f32 before the first tile instead costs as much as seven tokens, since it waits for memory and
// stores alone. Either way an output is one chain over ascending inputs, parked in y between blocks
// of inputs (f32 survives that unchanged), so the shape of the tile does not show in the result.
// Panels of codes are another matter: codes.h; matrices in records too: sparse.h.
#pragma once

#include "cpu/kernels/codes.h"
#include "cpu/kernels/levels.h"
#include "cpu/kernels/numbers.h"
#include "cpu/kernels/sparse.h"

namespace skein::cpu::SK_ISA {

template <typename Panel, int kPanels>
inline void one_token(const Linear& l, int64_t panel) {
  Panel w[kPanels];
  F32x16 sum[kPanels];
  for (int p = 0; p < kPanels; ++p) {
    w[p] = Panel(l, panel + p, 0);
    sum[p] = set1(0.0f);
  }
  for (int64_t k = 0; k < l.in; k += Panel::kStep) {
    typename Panel::Weights some[kPanels];
    for (int p = 0; p < kPanels; ++p) {
      w[p].fetch_ahead(k);
      some[p] = w[p].load_weights(k);
    }
    for (int i = 0; i < Panel::kStep; ++i) {
      const F32x16 x = set1(l.x[k + i]);
      for (int p = 0; p < kPanels; ++p) sum[p] = fma(Panel::next(&some[p]), x, sum[p]);
    }
  }
  for (int p = 0; p < kPanels; ++p) finish(l, sum[p], panel + p, 0);
}

// Inputs [first, first + count) for some tokens from `token` on.
struct TileTask {
  int64_t panel = 0;
  int64_t token = 0;
  int64_t first = 0;
  int64_t count = 0;
  const float* x = nullptr;  // [count][tokens]
  float* kept = nullptr;     // [panel][count][16]
};

// Which tile over its weights it is: the only one or one of few; one that leaves them as f32 in
// `kept`; one that finds them in the cache.
enum class Pass { only, first, later };

template <typename Panel, int kPanels, int kTokens, Pass kPass>
inline void tile(const Linear& l, const TileTask& task, const Panel* panels) {
  const int64_t count = task.count;
  Panel w[kPanels];
  for (int p = 0; p < kPanels; ++p) w[p] = panels[p];
  F32x16 sum[kPanels][kTokens];
  for (int p = 0; p < kPanels; ++p)
    for (int t = 0; t < kTokens; ++t)
      sum[p][t] = task.first == 0 ? set1(0.0f) : resume(l, task.panel + p, task.token + t);
  for (int64_t step = 0; step < count; step += Panel::kStep) {
    typename Panel::Weights some[kPanels];
    for (int p = 0; p < kPanels; ++p) {
      if constexpr (kPass != Pass::later) w[p].fetch_ahead(step);
      some[p] = w[p].load_weights(step);
    }
    for (int64_t k = step; k < step + Panel::kStep; ++k) {
      F32x16 weights[kPanels];
      for (int p = 0; p < kPanels; ++p) {
        weights[p] = Panel::next(&some[p]);
        if constexpr (kPass == Pass::first && !Panel::kIsF32)
          store(task.kept + (p * count + k) * kPanel, weights[p]);
      }
      for (int t = 0; t < kTokens; ++t) {
        const F32x16 x = set1(task.x[k * kTokens + t]);
        for (int p = 0; p < kPanels; ++p) sum[p][t] = fma(weights[p], x, sum[p][t]);
      }
    }
  }
  const bool last = task.first + count == l.in;
  for (int p = 0; p < kPanels; ++p) {
    for (int t = 0; t < kTokens; ++t) {
      if (last) {
        finish(l, sum[p][t], task.panel + p, task.token + t);
      } else {
        park(l, sum[p][t], task.panel + p, task.token + t);
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

template <typename Panel, int kPanels, Pass kPass>
inline void tile_of(int64_t width, const Linear& l, const TileTask& task, const Panel* panels) {
  switch (width) {
    case kTileTokens: return tile<Panel, kPanels, kTileTokens, kPass>(l, task, panels);
    case 1: return tile<Panel, kPanels, 1, kPass>(l, task, panels);
    case 2: return tile<Panel, kPanels, 2, kPass>(l, task, panels);
    default: break;
  }
  if constexpr (kTileTokens > 4) {
    if (width == 4) return tile<Panel, kPanels, 4, kPass>(l, task, panels);
  }
  if constexpr (kTileTokens > 8) {
    if (width == 8) return tile<Panel, kPanels, 8, kPass>(l, task, panels);
  }
}

// Four rows of four numbers, by columns.
inline void transpose_four(const float* x, int64_t x_stride, float* out, int64_t out_stride) {
  using Four [[gnu::vector_size(16)]] = float;
  Four a, b, c, d;
  __builtin_memcpy(&a, x, 16);
  __builtin_memcpy(&b, x + x_stride, 16);
  __builtin_memcpy(&c, x + 2 * x_stride, 16);
  __builtin_memcpy(&d, x + 3 * x_stride, 16);
  const Four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const Four cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const Four ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Four cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  const Four columns[4] = {__builtin_shufflevector(ab, cd, 0, 1, 4, 5),
                           __builtin_shufflevector(ab, cd, 2, 3, 6, 7),
                           __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5),
                           __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7)};
  for (int i = 0; i < 4; ++i) __builtin_memcpy(out + i * out_stride, &columns[i], 16);
}

// kWidth rows of x, `count` inputs of each, as [input][kWidth]. A cache line's worth of all rows at
// a time, so that what is written stays in the L1 cache until its lines are full.
template <int kWidth>
inline void interleave_tokens(const float* x, int64_t x_stride, int64_t count, float* out) {
  constexpr int64_t kInputs = 16;
  for (int64_t k = 0; k < count; k += kInputs) {
    const int64_t end = count - k < kInputs ? count : k + kInputs;
    int i = 0;
    if (end - k == kInputs) {
      for (; i + 4 <= kWidth; i += 4)
        for (int64_t j = k; j < end; j += 4)
          transpose_four(x + i * x_stride + j, x_stride, out + j * kWidth + i, kWidth);
    }
    for (; i < kWidth; ++i)
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

// One or two panels by all tokens of a block, whose activations are regrouped.
template <typename Panel, int kPanels>
inline void tiles(const Linear& l, TileTask task, int64_t tokens) {
  Panel own[kPanels];
  for (int p = 0; p < kPanels; ++p) own[p] = Panel(l, task.panel + p, task.first);
  const float* x = task.x;
  const int64_t token = task.token;
  const auto advance = [&](int64_t t) {
    task.token = token + t;
    task.x = x + t * task.count;
  };
  int64_t t = 0;
  if (tokens <= kTileTokens) {
    for (; t < tokens; t += tile_width(tokens - t)) {
      advance(t);
      tile_of<Panel, kPanels, Pass::only>(tile_width(tokens - t), l, task, own);
    }
    return;
  }
  tile<Panel, kPanels, kTileTokens, Pass::first>(l, task, own);
  PanelF32 later[kPanels];
  for (int p = 0; p < kPanels; ++p) {
    if constexpr (Panel::kIsF32) {
      later[p] = own[p];
    } else {
      later[p].at = task.kept + p * task.count * kPanel;
    }
  }
  for (t = kTileTokens; t < tokens; t += tile_width(tokens - t)) {
    advance(t);
    tile_of<PanelF32, kPanels, Pass::later>(tile_width(tokens - t), l, task, later);
  }
}

template <typename Panel>
inline void many_tokens(const Linear& l, Range panels) {
  for (int64_t token = 0; token < l.tokens; token += kBlockTokens) {
    const int64_t tokens = l.tokens - token < kBlockTokens ? l.tokens - token : kBlockTokens;
    for (int64_t first = 0; first < l.in; first += kBlockInputs) {
      const int64_t count = l.in - first < kBlockInputs ? l.in - first : kBlockInputs;
      regroup(l, token, tokens, first, count, l.scratch);
      TileTask task = {.token = token,
                       .first = first,
                       .count = count,
                       .x = l.scratch,
                       .kept = l.scratch + kBlockTokens * kBlockInputs};
      task.panel = panels.begin;
      if constexpr (kPairPanels) {
        for (; task.panel + 1 < panels.end; task.panel += 2) tiles<Panel, 2>(l, task, tokens);
      }
      for (; task.panel < panels.end; ++task.panel) tiles<Panel, 1>(l, task, tokens);
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
    case PanelType::nf4: return linear_of<PanelNf4>(l, panels);
    case PanelType::mxfp4: return linear_of<PanelMxfp4>(l, panels);
    case PanelType::int8: return linear_of<PanelInt8>(l, panels);
  }
}

}  // namespace skein::cpu::SK_ISA
