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
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tensor/stored.h"

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

// The same as a tensor of shape [N, M] that is decoded when it is read, so that a loader needs the
// memory of the rows it asks for: `codes` are bytes [N, M], contiguous, the rest are numbers of any
// type. The official orientation is its transposed(). Errors: mismatch (shapes), corrupt (a scale
// is not finite, or what read_f32 says).
struct PipI8Tensors {
  StoredTensor codes;
  StoredTensor mx, rx, my, ry;
};
Result<StoredTensor> pip_i8_tensor(std::string name, const PipI8Tensors& parts);

// The five in a file: what their names have after the matrix's own.
struct PipI8Part {
  std::string_view suffix;
  StoredTensor PipI8Tensors::*place;
};
inline constexpr PipI8Part kPipI8Parts[] = {{"", &PipI8Tensors::codes},
                                            {"_mx", &PipI8Tensors::mx},
                                            {"_rx", &PipI8Tensors::rx},
                                            {"_my", &PipI8Tensors::my},
                                            {"_ry", &PipI8Tensors::ry}};

// Owns what PipI8 views. The scales are f32 and the tool stores them in its activation type: encode
// them as F16 or BF16.
struct PipI8Matrix {
  int64_t inputs = 0;
  int64_t outputs = 0;
  std::vector<uint8_t> codes;
  std::vector<float> mx, rx, my, ry;

  PipI8 view() const { return {inputs, outputs, codes, mx, rx, my, ry}; }
};

// `weight` is official, [outputs, inputs]. It is read three times, some rows at a time. A row or
// column of equal numbers, where the tool would divide 0 by 0, has codes 0 and a range of 0.
// Errors: argument (not a matrix), corrupt (a number that is not finite), what read_f32 says.
Result<PipI8Matrix> encode_pip_i8(const StoredTensor& weight);

// The five tensors of the matrix `weight`, [outputs, inputs], under their names, which are encoded
// when they are read; the errors of encode_pip_i8 come then.
PipI8Tensors pip_i8_tensors(std::string_view name, StoredTensor weight);

}  // namespace skein::quant
