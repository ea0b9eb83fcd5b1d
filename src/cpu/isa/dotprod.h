// The vector layer for AArch64 with dot products of bytes of one sign (FEAT_DotProd: sdot, udot).
// Included once, by kernels_dotprod.cpp, which has set the target; see scalar.h for what each
// function means.
#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace skein::cpu::SK_ISA {

// Activations have signs, so codes must: those of 8 bits less 128, which a group's start makes up
// for. 4 bits fit as they are.
using Codes = int8x16_t;
inline constexpr int kByteBias = 128;

inline Codes small_codes(uint8x16_t codes) { return vreinterpretq_s8_u8(codes); }
inline Codes biased_codes(uint8x16_t codes) {
  return vreinterpretq_s8_u8(veorq_u8(codes, vdupq_n_u8(128)));
}
inline Codes look_up(Codes levels, uint8x16_t at) { return vqtbl1q_s8(levels, at); }
inline int32x4_t add_products(int32x4_t sum, Codes codes, int8x16_t activations) {
  return vdotq_s32(sum, codes, activations);
}

}  // namespace skein::cpu::SK_ISA

#include "cpu/isa/bytes_neon.h"
