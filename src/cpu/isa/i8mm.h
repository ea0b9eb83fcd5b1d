// The vector layer for AArch64 with dot products of unsigned and signed bytes (FEAT_I8MM: usdot).
// Included once, by kernels_i8mm.cpp, which has set the target; see scalar.h for what each function
// means.
#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace skein::cpu::SK_ISA {

using Codes = uint8x16_t;
inline constexpr int kByteBias = 0;

inline Codes small_codes(uint8x16_t codes) { return codes; }
inline Codes biased_codes(uint8x16_t codes) { return codes; }
inline Codes look_up(Codes levels, uint8x16_t at) { return vqtbl1q_u8(levels, at); }
inline int32x4_t add_products(int32x4_t sum, Codes codes, int8x16_t activations) {
  return vusdotq_s32(sum, codes, activations);
}

}  // namespace skein::cpu::SK_ISA

#include "cpu/isa/bytes_neon.h"
