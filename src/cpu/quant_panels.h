// Panels of codes: which block types keep their size in memory, and how their blocks become panels.
//
//   types             bits a weight  shape: bits, block, group (CodePanels in cpu/kernels.h)
//   IQ4_XS            4.31           4, 256, 32
//   Q4_0, IQ4_NL      4.5            4, 32, 32
//   Q3_K              4.56           4, 256, 16
//   Q4_K              4.63           4, 256, 32 with offsets
//   Q4_1              5              4, 32, 32 with offsets
//   Q2_K              5.13           4, 256, 16 with offsets
//   Q8_0, Q5_0        8.5            8, 32, 32
//   Q6_K              8.56           8, 256, 16
//   Q5_K              8.63           8, 256, 32 with offsets
//   Q5_1              9              8, 32, 32 with offsets
//
// Codes are 4 or 8 bits: to gather a fifth or sixth bit from elsewhere takes instructions that a
// decode step has no room for. MXFP4, Q8_1 and Q8_K are left out: the first and the last can have
// scales so small that a step, which flushes denormals, takes them for zero, and no model's
// matrices come in the second. INT8's scales are no halves, and NF4's levels no whole numbers.
#pragma once

#include <cstddef>

#include "cpu/kernels.h"
#include "tensor/dtype.h"

namespace skein::cpu {

// nullptr: matrices of the type are decoded to f32.
const CodePanels* code_panels(DType type);

// One panel, of a type that has them, from `rows` rows of whole blocks, at most 16, that lie one
// after the other. False if a block's scale is infinite or NaN.
bool pack_codes(DType type, const std::byte* blocks, int64_t rows, int64_t width, std::byte* panel);

}  // namespace skein::cpu
