// INT8 and NF4 as web-rwkv stores them: blocks of the flattened row-major f16 matrix, codes and
// scales in two tensors.
//
//   scheme  bits  block  codes                        scales                  value
//   INT8    8.25  128    one byte                     half min, half max      fma(q / 255, max -
//   min, min) NF4     4.25  64     element 2i below, 2i+1 above  half largest magnitude  level[q]
//   absmax
//
// INT8 is the one scheme whose value is not a single rounding: q / 255 and max - min are rounded
// first. Scales come as f32, materialised by read_f32. A matrix is whole blocks.
#pragma once

#include <cstdint>
#include <span>

#include "base/error.h"

namespace skein::quant {

inline constexpr int kWebRwkvInt8Block = 128;

// minmax: [blocks, 2]. Errors of the decoders: argument (sizes), corrupt (a scale is not finite).
Status decode_webrwkv_int8(std::span<const uint8_t> codes, std::span<const float> minmax,
                           std::span<float> out);
// absmax: [blocks].
Status decode_webrwkv_nf4(std::span<const uint8_t> codes, std::span<const float> absmax,
                          std::span<float> out);

// `values` are rounded to f16 first, as the tool loads them; scales are written as half bits.
// Errors: argument (sizes, a number with no finite half).
Status encode_webrwkv_int8(std::span<const float> values, std::span<uint8_t> codes,
                           std::span<uint16_t> minmax);
Status encode_webrwkv_nf4(std::span<const float> values, std::span<uint8_t> codes,
                          std::span<uint16_t> absmax);

}  // namespace skein::quant
