// Matrices of F32 whose numbers are those of a half type are packed as that.
#include <gtest/gtest.h>

#include <cstring>

#include "cpu/dispatch.h"
#include "cpu/flush.h"
#include "cpu/weights.h"
#include "matrix.h"
#include "quant/plain/bits.h"
#include "support/random.h"

namespace skein::cpu {
namespace {

using test::Random;

constexpr int64_t kRows = 70, kWidth = 129;

Result<PackedWeights> pack(std::span<const ops::WeightData> weights, int threads) {
  Pool pool(threads);
  return PackedWeights::pack(weights, pool, {}, {});
}

std::vector<float> product(const Kernels& kernels, const PackedWeight& matrix,
                           const std::vector<float>& x, int64_t tokens) {
  const FlushSubnormals flush;
  std::vector<float> y(static_cast<size_t>(tokens * matrix.rows)), scratch(kLinearScratch);
  kernels.linear({.panels = matrix.data,
                  .type = matrix.type,
                  .in = matrix.width,
                  .out = matrix.rows,
                  .x = x.data(),
                  .x_stride = matrix.width,
                  .y = y.data(),
                  .y_stride = matrix.rows,
                  .tokens = tokens,
                  .scratch = scratch.data()},
                 {0, (matrix.rows + kPanel - 1) / kPanel});
  return y;
}

std::vector<float> numbers_of(PanelType type) {
  Random random(51);
  auto out = random.floats(static_cast<size_t>(kRows * kWidth), -2, 2);
  for (float& number : out)
    number = type == PanelType::f16 ? quant::f16_to_f32(quant::f32_to_f16(number))
                                    : quant::bf16_to_f32(quant::f32_to_bf16(number));
  // Zeros of both signs, and what the other half type has not: F16's subnormals and last bits,
  // BF16's range and its own subnormals, which a step flushes as it does F32's.
  out[7] = -0.0f, out[8] = 0.0f;
  if (type == PanelType::f16) {
    for (uint16_t half = 1; half < 60; ++half)
      out[100 + half] = quant::f16_to_f32(static_cast<uint16_t>(half * 17));
    out[200] = 65504, out[201] = 1.0009765625f;
  } else {
    out[100] = 1e30f, out[101] = 0x1p-126f, out[102] = 0x1p-130f, out[103] = -0x1.02p-127f;
    for (size_t i : {100, 101, 102, 103}) out[i] = quant::bf16_to_f32(quant::f32_to_bf16(out[i]));
  }
  return out;
}

class Narrow : public testing::TestWithParam<PanelType> {};

TEST_P(Narrow, numbers_of_a_half_type_are_packed_as_that_and_give_the_same_products) {
  const auto numbers = numbers_of(GetParam());
  const auto weight = matrix_of(DType::f32, kRows, kWidth, std::as_bytes(std::span(numbers)));
  std::vector<float> panels((kRows + kPanel - 1) / kPanel * kPanel * kWidth);
  for (int64_t i = 0; i < kRows * kWidth; ++i) {
    const int64_t row = i / kWidth, k = i % kWidth;
    panels[static_cast<size_t>((row / kPanel * kWidth + k) * kPanel + row % kPanel)] =
        numbers[static_cast<size_t>(i)];
  }
  PackedWeight plain;
  plain.rows = kRows, plain.width = kWidth;
  plain.data = reinterpret_cast<const std::byte*>(panels.data());
  Random random(52);
  for (const int threads : {1, 3}) {
    const auto packed = pack({&weight, 1}, threads);
    ASSERT_TRUE(packed);
    const PackedWeight& matrix = (*packed)[ops::WeightId{0}];
    EXPECT_EQ(matrix.type, GetParam());
    for (const int64_t tokens : {1, 3, 40}) {
      const auto x = random.floats(static_cast<size_t>(tokens * kWidth));
      for (const Isa& isa : instruction_sets()) {
        if (!isa.supported) continue;
        const auto expected = product(*isa.kernels, plain, x, tokens);
        const auto got = product(*isa.kernels, matrix, x, tokens);
        EXPECT_EQ(0, std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)))
            << isa.kernels->name << ", " << tokens << " tokens";
      }
    }
  }
}

TEST_P(Narrow, one_number_that_does_not_fit_keeps_all_of_them) {
  const auto good = numbers_of(GetParam());
  for (const size_t place : {size_t{0}, good.size() / 2, good.size() - 1}) {
    for (const float number : {0.1f, 1.0f + 0x1p-23f, 0x1.0001p120f}) {
      auto numbers = good;
      numbers[place] = number;
      const auto weight = matrix_of(DType::f32, kRows, kWidth, std::as_bytes(std::span(numbers)));
      const auto packed = pack({&weight, 1}, 2);
      ASSERT_TRUE(packed);
      const PackedWeight& matrix = (*packed)[ops::WeightId{0}];
      ASSERT_EQ(matrix.type, PanelType::f32);
      const auto* panels = reinterpret_cast<const float*>(matrix.data);
      const auto row = static_cast<int64_t>(place) / kWidth;
      EXPECT_EQ(panels[(row / kPanel * kWidth + static_cast<int64_t>(place) % kWidth) * kPanel +
                       row % kPanel],
                number);
    }
  }
}

TEST_P(Narrow, a_transposed_view_is_narrowed_too) {
  const auto numbers = numbers_of(GetParam());
  auto weight = matrix_of(DType::f32, kRows, kWidth, std::as_bytes(std::span(numbers)));
  weight.tensor = weight.tensor.transposed();
  const auto packed = pack({&weight, 1}, 2);
  ASSERT_TRUE(packed);
  const PackedWeight& matrix = (*packed)[ops::WeightId{0}];
  ASSERT_EQ(matrix.type, GetParam());
  const auto* panels = reinterpret_cast<const uint16_t*>(matrix.data);
  for (int64_t k = 0; k < kRows; ++k) {
    const float number = numbers[static_cast<size_t>(k * kWidth + 20)];  // row 20 of the view
    EXPECT_EQ(panels[(kRows + k) * kPanel + 4], GetParam() == PanelType::f16
                                                    ? quant::f32_to_f16(number)
                                                    : quant::f32_to_bf16(number));
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Narrow, testing::Values(PanelType::f16, PanelType::bf16),
                         [](const auto& test) {
                           return test.param == PanelType::f16 ? "F16" : "BF16";
                         });

TEST(Narrowing, weights_stand_close_together_and_take_no_more_than_was_announced) {
  Random random(53);
  const auto wide = random.floats(static_cast<size_t>(kRows * kWidth));
  const auto narrow = numbers_of(PanelType::bf16);
  const std::vector<ops::WeightData> weights = {
      matrix_of(DType::f32, kRows, kWidth, std::as_bytes(std::span(narrow))),
      matrix_of(DType::f32, kRows, kWidth, std::as_bytes(std::span(wide)))};
  const auto packed = pack(weights, 2);
  ASSERT_TRUE(packed);
  const int64_t padded = 80 * kWidth;  // five panels
  const int64_t halves = (padded * 2 + 63) / 64 * 64;
  EXPECT_EQ(packed->bytes(), halves + padded * 4);
  EXPECT_EQ(PackedWeights::resident_bytes(weights), packed->bytes());
  EXPECT_EQ(packed->memory().size(), static_cast<size_t>(packed->bytes()));
  EXPECT_EQ((*packed)[ops::WeightId{0}].bytes_read(), kRows * kWidth * 2);
  EXPECT_EQ((*packed)[ops::WeightId{1}].bytes_read(), kRows * kWidth * 4);
  EXPECT_EQ((*packed)[ops::WeightId{1}].data, packed->memory().data() + halves);
}

}  // namespace
}  // namespace skein::cpu
