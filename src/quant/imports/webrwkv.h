// INT8 and NF4 as web-rwkv's own files store them: codes and scales in two tensors, blocks of the
// flattened row-major f16 matrix. The blocks themselves, and what they hold, are the types INT8 and
// NF4 (webrwkv/bits.h).
//
//   scheme  codes                        scales
//   INT8    one byte                     [blocks, 2] half: min, max
//   NF4     element 2i below, 2i+1 above  [blocks] half: largest magnitude
//
// Scales come as f32, materialised by read_f32. A matrix is whole blocks.
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
