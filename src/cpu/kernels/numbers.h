// How the numbers of panels and records become vectors; levels.h has what is no number yet.
#pragma once

#include "cpu/kernels/math.h"

namespace skein::cpu::SK_ISA {

// A panel from an input on. Every kind of panel loads weights of kStep inputs and then gives one
// input's after the other.
template <typename Element_>
struct NumbersAt {
  using Element = Element_;
  using Weights = F32x16;
  static constexpr int kStep = 1;
  const Element* at = nullptr;

  NumbersAt() = default;
  NumbersAt(const Linear& l, int64_t panel, int64_t input)
      : at(reinterpret_cast<const Element*>(l.panels) + (panel * l.in + input) * kPanel) {}

  // Asks for the weights of some inputs ahead, once for each cache line. The processor's own
  // prefetchers start anew with each panel, which left a decode step at 75 % of a plain read where
  // this gives 98 % (2-core Sapphire Rapids, 24 KiB panels, two threads).
  void fetch_ahead(int64_t k) const {
    constexpr int64_t kBytesAhead = 2048;
    constexpr int64_t kInputsInLine = 64 / (kPanel * static_cast<int64_t>(sizeof(Element)));
    if (k % kInputsInLine == 0)
      prefetch(reinterpret_cast<const char*>(at + k * kPanel) + kBytesAhead);
  }
  static F32x16 next(const Weights* w) { return *w; }
};

struct PanelF32 : NumbersAt<float> {
  using NumbersAt::NumbersAt;
  static constexpr bool kIsF32 = true;
  static F32x16 read(const float* p) { return load(p); }
  F32x16 load_weights(int64_t k) const { return read(at + k * kPanel); }
};
struct PanelF16 : NumbersAt<uint16_t> {
  using NumbersAt::NumbersAt;
  static constexpr bool kIsF32 = false;
  static F32x16 read(const uint16_t* p) { return load_f16(p); }
  F32x16 load_weights(int64_t k) const { return read(at + k * kPanel); }
};
struct PanelBf16 : NumbersAt<uint16_t> {
  using NumbersAt::NumbersAt;
  static constexpr bool kIsF32 = false;
  static F32x16 read(const uint16_t* p) { return load_bf16(p); }
  F32x16 load_weights(int64_t k) const { return read(at + k * kPanel); }
};

}  // namespace skein::cpu::SK_ISA
