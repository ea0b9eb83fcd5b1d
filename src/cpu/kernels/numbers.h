// How the numbers of panels and records become vectors.
#pragma once

#include "cpu/kernels/math.h"

namespace skein::cpu::SK_ISA {

struct PanelF32 {
  using Element = float;
  static F32x16 read(const float* p) { return load(p); }
};
struct PanelF16 {
  using Element = uint16_t;
  static F32x16 read(const uint16_t* p) { return load_f16(p); }
};
struct PanelBf16 {
  using Element = uint16_t;
  static F32x16 read(const uint16_t* p) { return load_bf16(p); }
};

}  // namespace skein::cpu::SK_ISA
