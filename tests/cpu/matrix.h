// A matrix as a model file has it, for tests of packed weights.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <vector>

#include "cpu/weights.h"
#include "ops/backend.h"
#include "quant/formats.h"
#include "support/random.h"

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

// A matrix of a type from random numbers, its decoded values, and packed.
struct PackedMatrix {
  PackedMatrix(DType type, int64_t rows, int64_t width) {
    test::Random random(5);
    const auto numbers = random.floats(static_cast<size_t>(rows * width));
    const BlockSize size = block_size(type);
    blocks.resize(static_cast<size_t>(rows * width / size.elements * size.bytes));
    values.resize(numbers.size());
    EXPECT_TRUE(quant::encode(type, numbers, blocks));
    EXPECT_TRUE(quant::decode(type, blocks, values));
    const ops::WeightData weight = matrix_of(type, rows, width, blocks);
    Pool pool(1);
    auto made = PackedWeights::pack({&weight, 1}, pool, {}, {});
    EXPECT_TRUE(made);
    packed = std::move(*made);
  }
  const PackedWeight& weight() const { return packed[ops::WeightId{0}]; }

  std::vector<std::byte> blocks;
  std::vector<float> values;
  PackedWeights packed;
};

}  // namespace skein::cpu
