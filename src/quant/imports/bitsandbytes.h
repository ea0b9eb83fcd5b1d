// NF4 as bitsandbytes stores it: blocks of 64 of the flattened matrix, element 2i ABOVE and 2i+1
// below (the other way round than web-rwkv), scales in f32 or double-quantised.
//
//   scheme  bits   scale of a block of 64
//   plain   4.5    absmax, f32
//   double  4.127  code[q] absmax2[block / 256] + offset
#pragma once

#include <cstdint>
#include <span>

#include "base/error.h"

namespace skein::quant {

inline constexpr int kBnbScaleBlock = 256;

// The last block may be short, as the tool allows. Errors: argument (sizes), corrupt (a scale is
// not finite).
Status decode_bnb_nf4(std::span<const uint8_t> codes, std::span<const float> absmax,
                      std::span<float> out);

// What a double-quantised matrix stores in place of absmax.
struct BnbDoubleScales {
  std::span<const uint8_t> codes;  // one a block of 64
  std::span<const float> table;    // 256 numbers, "code" in the file
  std::span<const float> absmax2;  // one per 256 codes
  float offset = 0;
};
Status decode_bnb_nf4_double(std::span<const uint8_t> codes, const BnbDoubleScales& scales,
                             std::span<float> out);

}  // namespace skein::quant
