// Products with panels of codes (CodePanels and QuantisedRow in cpu/kernels.h).
//
// Codes and activations are whole numbers, so a group's sum is exact and the same for every
// instruction set, order and tile; floating point begins where it is multiplied by the group's
// scale. One token streams some panels from memory, which decides; a few share the unpacking of
// each code; for many, panels are made bytes first and a tile of tokens and panels stays in
// registers.
#pragma once

#include "cpu/kernels/finish.h"

namespace skein::cpu::SK_ISA {

// A CodePanels known to the compiler.
template <int kBits_, int kBlock_, int kGroup_, bool kShifted_, bool kTable_>
struct CodeShape {
  static constexpr int kBits = kBits_;
  static constexpr int kBlock = kBlock_;
  static constexpr int kGroup = kGroup_;
  static constexpr bool kShifted = kShifted_;
  static constexpr bool kTable = kTable_;
  static constexpr bool kNested = kBlock != kGroup;
  static constexpr int kGroups = kBlock / kGroup;                        // in a block
  static constexpr int kQuads = 8 / kBits;                               // in 64 bytes of codes
  static constexpr int kChunks = kGroup * kBits / (4 * 8);               // of 64 bytes in a group
  static constexpr int kMissing = kBits == 8 || kTable ? kByteBias : 0;  // of a code in Quads
};

struct BlockScales {
  F32x16 scale;
  F32x16 offset;  // where the shape is shifted
};

// One panel, and where its planes are.
template <typename Shape>
struct CodePanel {
  const uint8_t* codes;
  const uint16_t* scales;
  const uint16_t* offsets;
  const int8_t* multipliers;
  const int8_t* offset_multipliers;

  CodePanel(const Linear& l, int64_t panel) {
    const CodePanels& c = l.codes;
    const std::byte* at = l.panels + panel * c.panel_bytes(l.in);
    codes = reinterpret_cast<const uint8_t*>(at);
    scales = reinterpret_cast<const uint16_t*>(at + c.scales_at(l.in));
    offsets = reinterpret_cast<const uint16_t*>(at + c.offsets_at(l.in));
    multipliers = reinterpret_cast<const int8_t*>(at + c.multipliers_at(l.in));
    offset_multipliers = reinterpret_cast<const int8_t*>(at + c.offset_multipliers_at(l.in));
  }

  const uint8_t* group(int64_t g) const { return codes + g * 64 * Shape::kChunks; }
  // Of a block, and of a group in it.
  BlockScales block(int64_t b) const {
    const F32x16 scale = load_f16(scales + b * kPanel);
    return {scale, Shape::kShifted ? load_f16(offsets + b * kPanel) : scale};
  }
  F32x16 scale(int64_t g, const BlockScales& block) const {
    return Shape::kNested ? mul(block.scale, load_i8(multipliers + g * kPanel)) : block.scale;
  }
  F32x16 offset(int64_t g, const BlockScales& block) const {
    return Shape::kNested ? mul(block.offset, load_i8(offset_multipliers + g * kPanel))
                          : block.offset;
  }
};

// A token's row of quantised activations.
struct Activations {
  const std::byte* first;
  const std::byte* second;
  const int32_t* starts;
  const float* sums;
  float scale;

  Activations(const Linear& l, int64_t token) {
    const QuantisedRow row = {.in = l.in, .group = l.codes.group};
    first = l.quantised + token * row.bytes();
    second = first + row.second_plane();
    starts = reinterpret_cast<const int32_t*>(first + row.starts());
    sums = reinterpret_cast<const float*>(first + row.sums());
    scale = *reinterpret_cast<const float*>(first + row.scale());
  }

  // Of a group, for the token whose row is `ahead` bytes further on: the sum of its inputs, and
  // what products with Quads that lack kMissing of each code are added to.
  float inputs(int64_t g, int64_t ahead) const { return at(sums + g, ahead); }
  template <int kMissing>
  Dots start(int64_t g, int64_t ahead) const {
    int32_t start = at(starts + g, ahead);
    if constexpr (kMissing != 0) start += kMissing * static_cast<int32_t>(inputs(g, ahead));
    return start_dots(start);
  }

 private:
  template <typename Number>
  static Number at(const Number* place, int64_t ahead) {
    return *reinterpret_cast<const Number*>(reinterpret_cast<const std::byte*>(place) + ahead);
  }
};

template <typename Shape>
inline void load_chunk(const uint8_t* p, const NibbleTable& table, Quads* w) {
  // As fetch_ahead in linear.h, and as far.
  prefetch(p + 2048);
  if constexpr (Shape::kBits == 8) {
    w[0] = load_quads(p);
  } else if constexpr (Shape::kTable) {
    look_up_nibbles(p, table, &w[0], &w[1]);
  } else {
    load_nibbles(p, &w[0], &w[1]);
  }
}

template <typename Shape>
inline NibbleTable table_of(const CodePanels& codes) {
  if constexpr (Shape::kTable) return load_table(codes.levels);
  return NibbleTable();
}

// Adds a group's share to a row's sum.
template <bool kShifted>
inline F32x16 add_group(F32x16 sum, const Dots& dots, F32x16 scale, F32x16 offset, float inputs) {
  sum = fma(to_f32(dots), scale, sum);
  return kShifted ? fma(set1(inputs), offset, sum) : sum;
}

template <typename Shape, int kPanels>
inline void one_token_of_codes(const Linear& l, int64_t panel) {
  const NibbleTable table = table_of<Shape>(l.codes);
  const Activations x(l, 0);
  const CodePanel<Shape> first(l, panel);
  const int64_t stride = l.codes.panel_bytes(l.in);  // from one panel to the next, in every plane
  F32x16 sum[kPanels];
  for (int p = 0; p < kPanels; ++p) sum[p] = set1(0.0f);
  for (int64_t block = 0; block < l.in / Shape::kBlock; ++block) {
    // Halves take long to become numbers, and a nested block has eight groups and more. Where it
    // has one they are not to stand in registers while its products are made.
    BlockScales scales[kPanels];
    if constexpr (Shape::kNested)
      for (int p = 0; p < kPanels; ++p) scales[p] = CodePanel<Shape>(l, panel + p).block(block);
    for (int64_t g = block * Shape::kGroups; g < (block + 1) * Shape::kGroups; ++g) {
      Dots dots[kPanels];
      for (int p = 0; p < kPanels; ++p) dots[p] = x.start<Shape::kMissing>(g, 0);
      int64_t at = g * Shape::kGroup;
      for (int chunk = 0; chunk < Shape::kChunks; ++chunk) {
        for (int p = 0; p < kPanels; ++p) {
          Quads w[2];
          load_chunk<Shape>(first.group(g) + p * stride + 64 * chunk, table, w);
          for (int q = 0; q < Shape::kQuads; ++q)
            dot(&dots[p], w[q], x.first + at + 4 * q, x.second + at + 4 * q);
        }
        at += 4 * Shape::kQuads;
      }
      for (int p = 0; p < kPanels; ++p) {
        const CodePanel<Shape> own(l, panel + p);
        if constexpr (!Shape::kNested) scales[p] = own.block(block);
        const F32x16 offset = Shape::kShifted ? own.offset(g, scales[p]) : sum[p];
        sum[p] = add_group<Shape::kShifted>(sum[p], dots[p], own.scale(g, scales[p]), offset,
                                            x.inputs(g, 0));
      }
    }
  }
  for (int p = 0; p < kPanels; ++p) finish(l, mul(sum[p], set1(x.scale)), panel + p, 0);
}

// Groups [first, last) of one panel for kTokens tokens from `token` on.
template <typename Shape, int kTokens>
inline void tile_of_codes(const Linear& l, int64_t panel, int64_t token, int64_t first,
                          int64_t last) {
  const NibbleTable table = table_of<Shape>(l.codes);
  const CodePanel<Shape> own(l, panel);
  const int64_t row = QuantisedRow{.in = l.in, .group = Shape::kGroup}.bytes();
  const Activations x(l, token);
  F32x16 sum[kTokens];
  for (int t = 0; t < kTokens; ++t) sum[t] = first == 0 ? set1(0.0f) : resume(l, panel, token + t);
  for (int64_t g = first; g < last; ++g) {
    Dots dots[kTokens];
    for (int t = 0; t < kTokens; ++t) dots[t] = x.start<Shape::kMissing>(g, t * row);
    int64_t at = g * Shape::kGroup;
    for (int chunk = 0; chunk < Shape::kChunks; ++chunk) {
      Quads w[2];
      load_chunk<Shape>(own.group(g) + 64 * chunk, table, w);
      for (int q = 0; q < Shape::kQuads; ++q, at += 4)
        for (int t = 0; t < kTokens; ++t)
          dot(&dots[t], w[q], x.first + t * row + at, x.second + t * row + at);
    }
    const BlockScales block = own.block(g / Shape::kGroups);
    const F32x16 scale = own.scale(g, block);
    const F32x16 offset = Shape::kShifted ? own.offset(g, block) : scale;
    for (int t = 0; t < kTokens; ++t)
      sum[t] = add_group<Shape::kShifted>(sum[t], dots[t], scale, offset, x.inputs(g, t * row));
  }
  for (int t = 0; t < kTokens; ++t) {
    if (last * Shape::kGroup == l.in) {
      finish(l, mul(sum[t], set1(Activations(l, token + t).scale)), panel, token + t);
    } else {
      park(l, sum[t], panel, token + t);
    }
  }
}

template <typename Shape>
inline void tiles_of_codes(const Linear& l, int64_t panel, int64_t token, int64_t end,
                           int64_t first, int64_t last) {
  for (; end - token >= kDotTokens; token += kDotTokens)
    tile_of_codes<Shape, kDotTokens>(l, panel, token, first, last);
  if constexpr (kDotTokens > 4) {
    for (; end - token >= 4; token += 4) tile_of_codes<Shape, 4>(l, panel, token, first, last);
  }
  for (; end - token >= 2; token += 2) tile_of_codes<Shape, 2>(l, panel, token, first, last);
  if (end > token) tile_of_codes<Shape, 1>(l, panel, token, first, last);
}

// A panel's part of kBlockInputs inputs as bytes with f32 scales, in a thread's scratch.
struct alignas(64) ExpandedPanel {
  uint8_t widened[kBlockInputs * kPanel];
  float scales[kBlockInputs / 16 * kPanel];
  float offsets[kBlockInputs / 16 * kPanel];
  const uint8_t* codes;  // widened ones, or the panel's own
};
static_assert(2 * sizeof(ExpandedPanel) <= kLinearScratch * sizeof(float));

template <typename Shape>
inline void expand_panel(const Linear& l, int64_t panel, int64_t first, int64_t last,
                         ExpandedPanel* out) {
  const CodePanel<Shape> own(l, panel);
  for (int64_t g = first; g < last; ++g) {
    const BlockScales block = own.block(g / Shape::kGroups);
    store(out->scales + (g - first) * kPanel, own.scale(g, block));
    if (Shape::kShifted) store(out->offsets + (g - first) * kPanel, own.offset(g, block));
  }
  out->codes = own.group(first);
  if constexpr (Shape::kBits == 4) {
    const NibbleTable table = table_of<Shape>(l.codes);
    for (int64_t i = 0; i < (last - first) * Shape::kChunks; ++i) {
      prefetch(out->codes + 64 * i + 2048);
      if constexpr (Shape::kTable) {
        widen_nibbles(out->codes + 64 * i, table, out->widened + 128 * i);
      } else {
        widen_nibbles(out->codes + 64 * i, out->widened + 128 * i);
      }
    }
    out->codes = out->widened;
  }
}

// Groups [first, last) of kPanels expanded panels for kTokens tokens.
template <int kGroup, bool kShifted, int kPanels, int kTokens>
inline void tile_of_bytes(const Linear& l, const ExpandedPanel* expanded, int64_t panel,
                          int64_t token, int64_t first, int64_t last) {
  const int64_t row = QuantisedRow{.in = l.in, .group = kGroup}.bytes();
  const Activations x(l, token);
  F32x16 sum[kPanels][kTokens];
  for (int p = 0; p < kPanels; ++p)
    for (int t = 0; t < kTokens; ++t)
      sum[p][t] = first == 0 ? set1(0.0f) : resume(l, panel + p, token + t);
  for (int64_t g = first; g < last; ++g) {
    Dots dots[kPanels][kTokens];
    for (int t = 0; t < kTokens; ++t)
      for (int p = 0; p < kPanels; ++p) dots[p][t] = x.start<kByteBias>(g, t * row);
    const std::byte *high = x.first + g * kGroup, *low = x.second + g * kGroup;
    for (int q = 0; q < kGroup; q += 4) {
      Quads w[kPanels];
      for (int p = 0; p < kPanels; ++p)
        w[p] = load_quads(expanded[p].codes + ((g - first) * kGroup + q) * kPanel);
      for (int t = 0; t < kTokens; ++t)
        for (int p = 0; p < kPanels; ++p)
          dot(&dots[p][t], w[p], high + t * row + q, low + t * row + q);
    }
    for (int p = 0; p < kPanels; ++p) {
      const F32x16 scale = load(expanded[p].scales + (g - first) * kPanel);
      const F32x16 offset = kShifted ? load(expanded[p].offsets + (g - first) * kPanel) : scale;
      for (int t = 0; t < kTokens; ++t)
        sum[p][t] = add_group<kShifted>(sum[p][t], dots[p][t], scale, offset, x.inputs(g, t * row));
    }
  }
  for (int p = 0; p < kPanels; ++p) {
    for (int t = 0; t < kTokens; ++t) {
      if (last * kGroup == l.in) {
        finish(l, mul(sum[p][t], set1(Activations(l, token + t).scale)), panel + p, token + t);
      } else {
        park(l, sum[p][t], panel + p, token + t);
      }
    }
  }
}

// Tokens [token, end) by groups [first, last) of expanded panels.
struct ExpandedBlock {
  const ExpandedPanel* expanded;
  int64_t panel;
  int64_t token, end;
  int64_t first, last;
};

template <int kGroup, bool kShifted, int kPanels>
inline void tiles_of_bytes(const Linear& l, const ExpandedBlock& b) {
  int64_t token = b.token;
  for (; b.end - token >= kDotTileTokens; token += kDotTileTokens)
    tile_of_bytes<kGroup, kShifted, kPanels, kDotTileTokens>(l, b.expanded, b.panel, token, b.first,
                                                             b.last);
  for (; token < b.end; ++token)
    tile_of_bytes<kGroup, kShifted, kPanels, 1>(l, b.expanded, b.panel, token, b.first, b.last);
}

// A number that a call passes to be known at compile time.
template <int kValue_>
struct Count {
  static constexpr int kValue = kValue_;
};

// Expands panels, one or kTogether at a time, and calls multiply(Count, block). Activations of a
// block of tokens and inputs stay in the L2 cache while all panels pass, and the bytes of two
// panels in L1 while all tokens do.
template <typename Shape, int kTogether, typename Multiply>
inline void each_expanded(const Linear& l, Range panels, Multiply multiply) {
  static_assert(kTogether <= 2);
  const int64_t groups = l.in / Shape::kGroup;
  constexpr int64_t kGroupsInBlock = kBlockInputs / Shape::kGroup;
  auto* expanded = reinterpret_cast<ExpandedPanel*>(l.scratch);
  for (int64_t token = 0; token < l.tokens; token += kBlockTokens) {
    const int64_t end = l.tokens - token < kBlockTokens ? l.tokens : token + kBlockTokens;
    for (int64_t first = 0; first < groups; first += kGroupsInBlock) {
      const int64_t last = groups - first < kGroupsInBlock ? groups : first + kGroupsInBlock;
      for (int64_t panel = panels.begin; panel < panels.end;) {
        const ExpandedBlock block = {expanded, panel, token, end, first, last};
        const bool pair = kTogether > 1 && panel + 1 < panels.end;
        expand_panel<Shape>(l, panel, first, last, expanded);
        if (pair) {
          expand_panel<Shape>(l, panel + 1, first, last, expanded + 1);
          multiply(Count<kTogether>(), block);
        } else {
          multiply(Count<1>(), block);
        }
        panel += pair ? 2 : 1;
      }
    }
  }
}

template <typename Shape>
inline void linear_of_shape(const Linear& l, Range panels) {
  if (l.tokens == 1) {
    int64_t panel = panels.begin;
    for (; panel + kDotPanels <= panels.end; panel += kDotPanels)
      one_token_of_codes<Shape, kDotPanels>(l, panel);
    for (; panel < panels.end; ++panel) one_token_of_codes<Shape, 1>(l, panel);
    return;
  }
  const int64_t groups = l.in / Shape::kGroup;
  if (l.tokens < kExpandTokens) {
    for (int64_t panel = panels.begin; panel < panels.end; ++panel)
      tiles_of_codes<Shape>(l, panel, 0, l.tokens, 0, groups);
    return;
  }
  each_expanded<Shape, kDotTilePanels>(
      l, panels, [&]<int kPanels>(Count<kPanels>, const ExpandedBlock& block) {
        tiles_of_bytes<Shape::kGroup, Shape::kShifted, kPanels>(l, block);
      });
}

// Calls `use` with the CodeShape of `c`: one line for each that quant/panels.cpp makes (bits,
// block, group, shifted, table).
template <typename Use>
inline void with_shape(const CodePanels& c, Use use) {
  const bool nested = c.block != c.group;
  if (c.bits == 8) {
    if (c.group == 16) return use(CodeShape<8, 256, 16, false, false>());
    if (nested) return use(CodeShape<8, 256, 32, true, false>());
    if (c.shifted) return use(CodeShape<8, 32, 32, true, false>());
    return use(CodeShape<8, 32, 32, false, false>());
  }
  if (c.group == 16) {
    if (c.shifted) return use(CodeShape<4, 256, 16, true, false>());
    return use(CodeShape<4, 256, 16, false, false>());
  }
  if (nested) {
    if (c.shifted) return use(CodeShape<4, 256, 32, true, false>());
    return use(CodeShape<4, 256, 32, false, true>());
  }
  if (c.shifted) return use(CodeShape<4, 32, 32, true, false>());
  if (c.levels) return use(CodeShape<4, 32, 32, false, true>());
  return use(CodeShape<4, 32, 32, false, false>());
}

inline void linear_of_codes(const Linear& l, Range panels) {
  with_shape(l.codes, [&]<typename Shape>(Shape) { linear_of_shape<Shape>(l, panels); });
}

}  // namespace skein::cpu::SK_ISA
