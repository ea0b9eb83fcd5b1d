// A matrix as a model file has it, for tests of packed weights.
#pragma once

#include <cstddef>
#include <span>

#include "ops/backend.h"

namespace skein::cpu {

// `storage` has to stay.
inline ops::WeightData matrix_of(DType type, int64_t rows, int64_t width,
                                 std::span<const std::byte> storage) {
  ops::WeightData out{.name = "matrix", .use = ops::WeightUse::matrix, .tensor = {}};
  out.tensor.name = out.name;
  out.tensor.dtype = type;
  out.tensor.shape = {rows, width};
  out.tensor.strides = out.tensor.shape.contiguous_strides();
  out.tensor.storage = storage;
  return out;
}

}  // namespace skein::cpu
