// Weights from panels of codes (CodePanels in cpu/kernels.h), two inputs at a time.
#pragma once

namespace skein::cpu::SK_ISA {

// As fetch_ahead in linear.h, and as far.
inline constexpr int64_t kCodeBytesAhead = 2048;

// A CodePanels known to the compiler.
template <int kBits_, int kBlock_, int kGroup_, bool kShifted_>
struct CodeShape {
  static constexpr CodePanels kPanels = {
      .bits = kBits_, .block = kBlock_, .group = kGroup_, .shifted = kShifted_};
  static constexpr int kBits = kBits_;
  static constexpr int kBlock = kBlock_;
  static constexpr int kGroup = kGroup_;
  static constexpr bool kShifted = kShifted_;
  static constexpr bool kNested = kBlock != kGroup;
  static constexpr int64_t kRowBytes = kPanel * kBits / 8;  // codes of one input
  static constexpr int64_t kScaleBytes = kPanels.scale_bytes();
  static constexpr int64_t kCodesAt = kPanels.multiplier_bytes();
  static constexpr int64_t kGroupBytes = kPanels.group_bytes();
  static constexpr int64_t kBlockBytes = kPanels.block_bytes();
};

template <typename Shape>
struct Scales {
  F32x16 scale;
  F32x16 offset;  // where the shape has one
};

struct WeightPair {
  F32x16 even;
  F32x16 odd;
};

template <typename Shape>
inline Levels levels_of(const CodePanels& codes) {
  if constexpr (Shape::kBits == 4) {
    return load_levels(codes.levels);
  } else {
    return Levels();
  }
}

// Of one group, from its block's scales and its own multipliers.
template <typename Shape>
inline Scales<Shape> load_scales(const std::byte* block, const std::byte* group) {
  prefetch(group + kCodeBytesAhead);
  const auto* halves = reinterpret_cast<const uint16_t*>(block);
  const auto* multipliers = reinterpret_cast<const int8_t*>(group);
  Scales<Shape> out;
  out.scale = load_f16(halves);
  if constexpr (Shape::kNested) out.scale = mul(out.scale, load_i8(multipliers));
  if constexpr (Shape::kShifted) {
    out.offset = load_f16(halves + kPanel);
    if constexpr (Shape::kNested) out.offset = mul(out.offset, load_i8(multipliers + kPanel));
  }
  return out;
}

template <typename Shape>
inline F32x16 weight(F32x16 level, const Scales<Shape>& scales) {
  if constexpr (Shape::kShifted) {
    return fma(level, scales.scale, scales.offset);
  } else {
    return mul(level, scales.scale);
  }
}

// Inputs k and k + 1 of a group, k even.
template <typename Shape>
inline WeightPair load_pair(const std::byte* group, int k, Levels levels,
                            const Scales<Shape>& scales) {
  const std::byte* codes = group + Shape::kCodesAt + k * Shape::kRowBytes;
  if (k * Shape::kRowBytes % 64 == 0) prefetch(codes + kCodeBytesAhead);
  F32x16 even, odd;
  if constexpr (Shape::kBits == 4) {
    load_nibbles(reinterpret_cast<const uint8_t*>(codes), levels, &even, &odd);
  } else {
    even = load_i8(reinterpret_cast<const int8_t*>(codes));
    odd = load_i8(reinterpret_cast<const int8_t*>(codes) + kPanel);
  }
  return {weight(even, scales), weight(odd, scales)};
}

// f32 weights of whole blocks: [input][16].
template <typename Shape>
inline void expand(const CodePanels& codes, const std::byte* block, int64_t blocks, float* out) {
  const Levels levels = levels_of<Shape>(codes);
  for (int64_t b = 0; b < blocks; ++b, block += Shape::kBlockBytes) {
    const std::byte* group = block + Shape::kScaleBytes;
    for (int g = 0; g < Shape::kBlock; g += Shape::kGroup, group += Shape::kGroupBytes) {
      const Scales<Shape> scales = load_scales<Shape>(block, group);
      for (int k = 0; k < Shape::kGroup; k += 2, out += 2 * kPanel) {
        const WeightPair w = load_pair<Shape>(group, k, levels, scales);
        store(out, w.even);
        store(out + kPanel, w.odd);
      }
    }
  }
}

}  // namespace skein::cpu::SK_ISA
