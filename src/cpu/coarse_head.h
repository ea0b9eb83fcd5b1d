// The second plane of a two-plane head: a copy of the head in bytes, by which a step that needs few
// logits exactly finds out which.
//
// The copy Q of a matrix W holds 8 bits a weight with a scale for 32 inputs of a row, in panels of
// codes like Q8_0's. What a row's product with an input x can be off by is known beforehand:
//
//   |W x - Q x| <= |W - Q| |x|             (Cauchy and Schwarz; the norms are the row's)
//   |Q x - Q X| <= |Q| |x - X|             X: x in whole numbers of 16 bits (QuantisedRow)
//   and what rounding adds to each of the two sums, as a share of the product of the norms.
#pragma once

#include <vector>

#include "base/pool.h"
#include "cpu/weights.h"
#include "ops/backend.h"
#include "tensor/buffer.h"

namespace skein::cpu {

class CoarseHead {
 public:
  // Whether that product is one of a matrix with an input, with nothing added to it.
  static bool possible(const ops::Program& program);
  // Of a matrix in panels; zeros where a copy would not be smaller, or whole blocks do not fit.
  static ops::SecondPlaneCost cost(PanelType type, int64_t rows, int64_t width);

  // `head` is a matrix that has a cost(). Errors: memory, unsupported
  // (a number is not finite, or too large for a scale).
  static Result<CoarseHead> make(const PackedWeight& head, Pool& pool);

  const PackedWeight& matrix() const { return matrix_; }
  int64_t bytes() const;

  // How far each row's product with x, [width], may be from the exact one: `error`, [rows]. NaN
  // where x is not finite.
  void bound(const float* x, float* error) const;

 private:
  CoarseHead() = default;

  Buffer panels_;
  PackedWeight matrix_;
  std::vector<float> by_norm_;      // of each row: times |x|
  std::vector<float> by_rounding_;  // of each row: times |x - X|
};

}  // namespace skein::cpu
