// Where the sums of a product go: out with bias and function, or parked until the next block of
// inputs.
#pragma once

#include "cpu/kernels/math.h"

namespace skein::cpu::SK_ISA {

// Bias and function, then the store; the last panel may be narrower than a vector.
inline void finish(const Linear& l, F32x16 sum, int64_t panel, int64_t token) {
  const int64_t row = panel * kPanel;
  const int lanes = l.out - row < kPanel ? static_cast<int>(l.out - row) : 16;
  if (l.bias) sum = add(sum, lanes == 16 ? load(l.bias + row) : load_n(l.bias + row, lanes));
  sum = apply(l.function, sum);
  float* y = l.y + token * l.y_stride + row;
  if (lanes == 16) {
    store(y, sum);
  } else {
    store_n(y, sum, lanes);
  }
}

// Partial sums between blocks of inputs.
inline F32x16 resume(const Linear& l, int64_t panel, int64_t token) {
  const int64_t row = panel * kPanel;
  const float* y = l.y + token * l.y_stride + row;
  return l.out - row < kPanel ? load_n(y, static_cast<int>(l.out - row)) : load(y);
}
inline void park(const Linear& l, F32x16 sum, int64_t panel, int64_t token) {
  const int64_t row = panel * kPanel;
  float* y = l.y + token * l.y_stride + row;
  if (l.out - row < kPanel) {
    store_n(y, sum, static_cast<int>(l.out - row));
  } else {
    store(y, sum);
  }
}

}  // namespace skein::cpu::SK_ISA
