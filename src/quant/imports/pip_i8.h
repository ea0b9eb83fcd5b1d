// The i8 strategy of the pip package `rwkv` (versions 4 to 6): the transposed matrix, N inputs by
// M outputs, with a minimum and a range per row and per column.
//
//   bits  value                               error
//   8+    (q + 0.5) ry[n] rx[m] + my[n] + mx[m]  below 1/512 of row range times column range
//
// The tool evaluates this in its activation type and in two orders, so that its own backends differ
// in the last bit. Here it is f32 in the order written.
#pragma once

#include <cstdint>
#include <span>

#include "base/error.h"

namespace skein::quant {

// As stored: rx and ry already carry their 1/16. Materialise them with read_f32.
struct PipI8 {
  int64_t inputs = 0;              // N
  int64_t outputs = 0;             // M
  std::span<const uint8_t> codes;  // [N, M]
  std::span<const float> mx, rx;   // [M]
  std::span<const float> my, ry;   // [N]
};

// out: [N, M]. Errors: argument (sizes), corrupt (a scale is not finite).
Status decode_pip_i8(const PipI8& matrix, std::span<float> out);

}  // namespace skein::quant
