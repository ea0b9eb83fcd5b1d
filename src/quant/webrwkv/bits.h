// INT8 and NF4 of web-rwkv. Blocks of consecutive numbers of a row whose scales are halves; what is
// encoded is rounded to f16 first, as the tool loads it.
//
//   type  bits  block  value                          error  why not the neighbour
//   INT8  8.25  128    fma(q / 255, max - min, min)   0.6 %  Q8_0 has finer blocks for the bits
//   NF4   4.25  64     level[q] absmax                9.2 %  IQ4_XS and Q4_K: whole levels, less
//                                                            error
//
// INT8 is the one type whose value is not a single rounding: q / 255 and max - min are rounded
// first. Where max is min, every number is min. GGUF has no id for either.
//
// error: rms error over rms value for Gaussian rows, measured on tests/fixtures/quant.
#pragma once

#include <cstdint>

namespace skein::quant {

struct BlockINT8 {
  uint16_t min;  // half, as max
  uint16_t max;
  uint8_t qs[128];
};
struct BlockNF4 {
  uint16_t absmax;  // half
  uint8_t qs[32];   // element 2i below, 2i+1 above
};
static_assert(sizeof(BlockINT8) == 132 && sizeof(BlockNF4) == 34);

}  // namespace skein::quant
