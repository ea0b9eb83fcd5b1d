// Panels of LevelPanels (quant/level_panels.h) as vectors: each weight is the f32 that a decoder
// makes of its code, to the last bit, so products are those with the decoded matrix.
#pragma once

#include "cpu/kernels/numbers.h"

namespace skein::cpu::SK_ISA {

// A panel from an input on, the beginning of a block.
template <const quant::LevelPanels& kShape, typename Scale>
struct LevelsAt {
  static constexpr bool kIsF32 = false;
  static constexpr int kStep = 8;

  const uint8_t* codes = nullptr;
  const Scale* scales = nullptr;
  const Scale* more_scales = nullptr;

  LevelsAt() = default;
  LevelsAt(const Linear& l, int64_t panel, int64_t input) {
    const std::byte* at = l.panels + panel * kShape.panel_bytes(l.in);
    codes = reinterpret_cast<const uint8_t*>(at) + codes_at(input);
    at += kShape.codes_bytes(l.in);
    scales = reinterpret_cast<const Scale*>(at) + scale_at(input);
    more_scales = reinterpret_cast<const Scale*>(at + kShape.scales_bytes(l.in)) + scale_at(input);
  }

  // As numbers do, and as far.
  void fetch_ahead(int64_t k) const {
    for (int64_t at = 0; at < codes_at(kStep); at += 64) prefetch(codes + codes_at(k) + at + 2048);
  }

  static constexpr int64_t codes_at(int64_t k) { return k * kPanel * kShape.bits / 8; }
  static constexpr int64_t scale_at(int64_t k) { return k / kShape.block * kPanel; }
};

// NF4 and MXFP4: one of sixteen numbers times a scale.
struct LevelWeights {
  NibbleLanes codes;
  F32x16 scale;
};

struct PanelNf4 : LevelsAt<quant::kNf4Panels, uint16_t> {
  using LevelsAt::LevelsAt;
  using Weights = LevelWeights;
  Weights load_weights(int64_t k) const {
    return {load_lanes(codes + codes_at(k)), load_f16(scales + scale_at(k))};
  }
  static F32x16 next(Weights* w) {
    return mul(take_nibbles(load(quant::kNf4Levels), &w->codes), w->scale);
  }
};

struct PanelMxfp4 : LevelsAt<quant::kMxfp4Panels, uint8_t> {
  using LevelsAt::LevelsAt;
  using Weights = LevelWeights;
  Weights load_weights(int64_t k) const {
    return {load_lanes(codes + codes_at(k)), load_powers(scales + scale_at(k))};
  }
  static F32x16 next(Weights* w) {
    return mul(take_nibbles(load(quant::kMxfp4Numbers), &w->codes), w->scale);
  }
};

// (q / 255) (max - min) + min, each step rounded.
struct PanelInt8 : LevelsAt<quant::kInt8Panels, uint16_t> {
  using LevelsAt::LevelsAt;
  struct Weights {
    const uint8_t* codes;
    F32x16 min;
    F32x16 range;
  };
  Weights load_weights(int64_t k) const {
    const F32x16 min = load_f16(scales + scale_at(k));
    return {codes + codes_at(k), min, sub(load_f16(more_scales + scale_at(k)), min)};
  }
  static F32x16 next(Weights* w) {
    // 1 / 255 in two parts, which gives the division's bits for every byte at a tenth of its cost.
    const F32x16 high = set1(0x1.010102p-8f), low = set1(-0x1.fdfdfep-33f);
    const F32x16 q = load_u8(w->codes);
    w->codes += kPanel;
    return fma(fma(q, high, mul(q, low)), w->range, w->min);
  }
};

}  // namespace skein::cpu::SK_ISA
