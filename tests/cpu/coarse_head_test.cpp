// The second plane of a head: exact logits lie within its bounds, whatever the weights and inputs.
#include "cpu/coarse_head.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cpu/dispatch.h"
#include "cpu/flush.h"
#include "matrix.h"
#include "quant/formats.h"
#include "quant/read.h"
#include "support/random.h"

namespace skein::cpu {
namespace {

using test::Random;

std::vector<std::byte> encoded(DType type, const std::vector<float>& values) {
  std::vector<std::byte> out(values.size() * static_cast<size_t>(block_size(type).bytes));
  EXPECT_TRUE(quant::encode(type, values, out));
  return out;
}

// Rows of very different sizes, some of them zeros, some with single large numbers.
std::vector<float> odd_rows(int64_t rows, int64_t width) {
  Random random(5);
  std::vector<float> out(static_cast<size_t>(rows * width));
  for (int64_t row = 0; row < rows; ++row) {
    const int least = row % 13 == 5 ? -80 : -18;
    const float size = std::ldexp(1.0f, static_cast<int>(random.below(24)) + least);
    for (int64_t k = 0; k < width; ++k)
      out[static_cast<size_t>(row * width + k)] = row % 7 == 3 ? 0 : random.uniform(-size, size);
    if (row % 5 == 1) out[static_cast<size_t>(row * width + row % width)] = 30;
    if (row % 11 == 2) out[static_cast<size_t>(row * width + row % width)] = 1e-7f;
  }
  return out;
}

struct Head {
  Head(DType type, int64_t rows, int64_t width, const std::vector<float>& values)
      : storage(encoded(type, values)), weight(matrix_of(type, rows, width, storage)) {
    auto made = PackedWeights::pack({&weight, 1}, pool, {}, {});
    EXPECT_TRUE(made);
    packed = std::move(*made);
  }
  const PackedWeight& matrix() const { return packed[0]; }

  Pool pool{2};
  std::vector<std::byte> storage;
  ops::WeightData weight;
  PackedWeights packed;
};

std::vector<float> product(const Kernels& kernels, const PackedWeight& matrix,
                           const std::vector<float>& x) {
  const FlushSubnormals flush;
  std::vector<float> y(static_cast<size_t>(matrix.rows));
  Linear l = {.panels = matrix.data,
              .type = matrix.type,
              .codes = matrix.codes,
              .in = matrix.width,
              .out = matrix.rows,
              .x = x.data(),
              .x_stride = matrix.width,
              .y = y.data(),
              .y_stride = matrix.rows,
              .tokens = 1};
  const QuantisedRow row = {matrix.width, matrix.codes.group};
  auto quantised = Buffer::make(static_cast<size_t>(row.bytes()));
  EXPECT_TRUE(quantised);
  if (matrix.type == PanelType::codes) {
    kernels.quantise(
        {.x = x.data(), .row = row, .bias = matrix.codes.bias, .out = quantised->data()}, {0, 1});
    l.quantised = quantised->data();
  }
  kernels.linear(l, {0, (matrix.rows + kPanel - 1) / kPanel});
  return y;
}

double norm(std::span<const float> values) {
  double sum = 0;
  for (const float x : values) sum += static_cast<double>(x) * static_cast<double>(x);
  return std::sqrt(sum);
}

TEST(CoarseHead, exact_products_lie_within_the_bounds_and_the_bounds_are_tight) {
  constexpr int64_t kRows = 333, kWidth = 224;
  Random random(8);
  for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
    const Head head(type, kRows, kWidth, odd_rows(kRows, kWidth));
    std::vector<float> values(kRows * kWidth);
    ASSERT_TRUE(quant::read_f32(head.weight.tensor, values));
    Pool pool(3);
    const auto coarse = CoarseHead::make(head.matrix(), pool);
    ASSERT_TRUE(coarse) << coarse.error().message;
    for (int round = 0; round < 40; ++round) {
      auto x = random.floats(kWidth, -2, 2);
      // As hidden vectors are: a few inputs far larger than the rest, and here and there too small.
      if (round % 3 == 1) x[static_cast<size_t>(round) % kWidth] *= 300;
      if (round % 4 == 2)
        for (float& value : x) value *= 1e-20f;
      std::vector<float> error(kRows);
      coarse->bound(x.data(), error.data());
      for (const Isa& isa : instruction_sets()) {
        if (!isa.supported) continue;
        const auto exact = product(*isa.kernels, head.matrix(), x);
        const auto about = product(*isa.kernels, coarse->matrix(), x);
        for (size_t row = 0; row < kRows; ++row) {
          ASSERT_LE(std::fabs(static_cast<double>(exact[row]) - static_cast<double>(about[row])),
                    static_cast<double>(error[row]))
              << isa.kernels->name << " row " << row;
          const double size = norm(std::span(values).subspan(row * kWidth, kWidth)) * norm(x);
          // Eight bits a weight, and scales in f16, which has no small ones; a row with one large
          // number has steps of its size in one block.
          ASSERT_LE(static_cast<double>(error[row]), 0.025 * size + 6e-5 * norm(x) + 1e-27);
        }
      }
    }
  }
}

TEST(CoarseHead, is_the_same_for_any_number_of_threads) {
  const Head head(DType::f16, 100, 64, odd_rows(100, 64));
  Pool one(1), three(3);
  const auto a = CoarseHead::make(head.matrix(), one), b = CoarseHead::make(head.matrix(), three);
  ASSERT_TRUE(a && b);
  const std::vector<float> x = Random(3).floats(64);
  std::vector<float> of_a(100), of_b(100);
  a->bound(x.data(), of_a.data());
  b->bound(x.data(), of_b.data());
  EXPECT_EQ(of_a, of_b);
  EXPECT_EQ(product(kScalarKernels, a->matrix(), x), product(kScalarKernels, b->matrix(), x));
}

TEST(CoarseHead, what_is_not_finite_has_no_copy_and_no_bound) {
  auto values = odd_rows(40, 64);
  Pool pool(1);
  values[1234] = 1e20f;
  const Head huge(DType::f32, 40, 64, values);
  EXPECT_EQ(CoarseHead::make(huge.matrix(), pool).error().code, Code::unsupported);
  // Panels in a file are not looked at before they are used.
  for (const float none :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> panels(48 * 64, 0.5f);
    panels[1234] = none;
    PackedWeight mapped = huge.matrix();
    mapped.data = reinterpret_cast<const std::byte*>(panels.data());
    EXPECT_EQ(CoarseHead::make(mapped, pool).error().code, Code::unsupported);
  }

  const Head good(DType::f32, 40, 64, odd_rows(40, 64));
  const auto coarse = CoarseHead::make(good.matrix(), pool);
  ASSERT_TRUE(coarse);
  for (const float strange :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 3e38f}) {
    std::vector<float> x(64, 3e38f), error(40, 0.0f);
    x[9] = strange;
    coarse->bound(x.data(), error.data());
    for (const float e : error) EXPECT_FALSE(e <= 1e30f);
  }
}

TEST(CoarseHead, codes_and_odd_widths_have_none) {
  EXPECT_EQ(CoarseHead::cost(PanelType::codes, 100, 64).bytes, 0);
  EXPECT_EQ(CoarseHead::cost(PanelType::nf4, 100, 64).bytes, 0);
  EXPECT_EQ(CoarseHead::cost(PanelType::f16, 100, 72).bytes, 0);
  EXPECT_GT(CoarseHead::cost(PanelType::f16, 100, 64).bytes, 100 * 64);
}

}  // namespace
}  // namespace skein::cpu
