// Plain elements: one number, no block. F32, F16, BF16 and F64 as IEEE and Google define them.
//
//   type  range      relative step  why not the neighbour
//   F16   65504      2^-11          BF16 has no overflow but keeps three bits less of each weight
//   BF16  as F32     2^-8           the type official checkpoints are trained in: exact for those
//   F32   3.4e38     2^-24          vectors, norms, decay: small, and errors in them spread
//
// Portable integer code: the answer does not depend on the rounding mode, on flush-to-zero or on
// F16C, so that these are also what vector code is tested against.
#pragma once

#include <bit>
#include <cstdint>

namespace skein::quant {

// Exact. A NaN keeps its sign and payload and becomes quiet, as F16C does.
// All three readings are computed and masks choose: a branch would keep loops from vectorising.
inline float f16_to_f32(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t magnitude = half & 0x7fffu;
  const uint32_t normal = (magnitude << 13) + (112u << 23);
  // Not a shifted pattern: those would be subnormal floats, which a thread may flush to zero.
  const float small = static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f;
  const uint32_t is_small = 0u - static_cast<uint32_t>(magnitude < 0x400u);
  const uint32_t is_special = 0u - static_cast<uint32_t>(magnitude >= 0x7c00u);
  const uint32_t is_nan = 0u - static_cast<uint32_t>(magnitude > 0x7c00u);
  const uint32_t bits = (std::bit_cast<uint32_t>(small) & is_small) | (normal & ~is_small);
  return std::bit_cast<float>(sign | bits | (0x7f800000u & is_special) | (0x400000u & is_nan));
}

// To nearest, ties to even; beyond 65519.99 becomes infinity, NaN stays NaN.
inline uint16_t f32_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint32_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  uint32_t half = 0;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
  } else if (magnitude >= 0x47800000u) {  // 65536 and above
    half = 0x7c00u;
  } else if (magnitude >= 0x38800000u) {  // normal halves: drop 13 bits; a carry moves the exponent
    const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
    half = (rounded >> 13) - (112u << 10);
  } else if (magnitude >= 0x33000000u) {  // subnormal halves, from half of the smallest one up
    const uint32_t shift = 126u - (magnitude >> 23);
    const uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
    const uint32_t below = mantissa & ((1u << shift) - 1u);
    const uint32_t middle = 1u << (shift - 1u);
    half = mantissa >> shift;
    if (below > middle || (below == middle && (half & 1u) != 0)) ++half;
  }
  return static_cast<uint16_t>(sign | half);
}

// The half that is this number, if there is one, and any other half if not. Without branches, for
// loops over numbers that are expected to be halves.
inline uint16_t exact_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t magnitude = bits & 0x7fffffffu;
  const uint32_t normal = (magnitude >> 13) - (112u << 10);
  const uint32_t is_small = 0u - static_cast<uint32_t>(magnitude < 0x38800000u);
  const auto small = static_cast<uint32_t>(
      static_cast<int32_t>(std::bit_cast<float>(magnitude & is_small) * 0x1p24f));
  const uint32_t is_special = 0u - static_cast<uint32_t>(magnitude >= 0x7f800000u);
  const uint32_t half = (small & is_small) | (normal & ~is_small & ~is_special) |
                        ((0x7c00u | (magnitude >> 13 & 0x3ffu)) & is_special);
  return static_cast<uint16_t>((bits >> 16 & 0x8000u) | (half & 0x7fffu));
}

// Exact, NaN payloads included.
inline float bf16_to_f32(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

// To nearest, ties to even; NaN stays NaN (the bare rounding would carry some into infinity).
inline uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

inline bool f16_is_finite(uint16_t half) { return (half & 0x7c00u) != 0x7c00u; }

}  // namespace skein::quant
