// The mode `fast` without tiles: activations of 8 bits. What a processor gives has the bits of the
// scalar layer, is near the exact product, and depends on its token alone.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "cpu/dispatch.h"
#include "cpu/flush.h"
#include "cpu/kernels.h"
#include "cpu/weights.h"
#include "matrix.h"
#include "quant/formats.h"
#include "quant/panels.h"
#include "support/random.h"

#define SK_ISA scalar_bytes
#include "cpu/isa/scalar.h"

#include "cpu/kernels/bytes.h"

namespace skein::cpu {
namespace {

using test::Random;

// The table that the tests of every instruction set would find if this one were a processor's.
const Kernels kScalarBytes = [] {
  Kernels out = kScalarKernels;
  out.name = "scalar bytes";
  out.fast_form = FastForm::bytes;
  out.round_rows = scalar_bytes::round_to_bytes;
  out.linear_fast = scalar_bytes::linear_of_byte_rows;
  return out;
}();

std::vector<const Kernels*> fast_tables() {
  std::vector<const Kernels*> out = {&kScalarBytes};
  for (const Isa& isa : instruction_sets())
    if (isa.supported && isa.kernels->fast_form == FastForm::bytes) out.push_back(isa.kernels);
  return out;
}

std::vector<float> product(const Kernels& kernels, const PackedMatrix& matrix,
                           const std::vector<float>& x, ops::Unary function, int parts) {
  const FlushSubnormals flush;
  const PackedWeight& w = matrix.weight();
  const int64_t tokens = static_cast<int64_t>(x.size()) / w.width;
  const FastRow row = {.in = w.width, .form = FastForm::bytes, .group = w.codes.group};
  auto input = *Buffer::make(static_cast<size_t>(tokens * row.bytes()));
  kernels.round_rows({.x = x.data(),
                      .x_stride = w.width,
                      .in = w.width,
                      .group = w.codes.group,
                      .bias = w.codes.bias,
                      .out = input.data()},
                     {0, tokens});
  auto scratch = *Buffer::make(kLinearScratch * sizeof(float));
  std::vector<float> y(static_cast<size_t>(tokens * w.rows), 3.0f);
  const Linear l = {.panels = w.data,
                    .type = w.type,
                    .codes = w.codes,
                    .in = w.width,
                    .out = w.rows,
                    .function = function,
                    .quantised = input.data(),
                    .y = y.data(),
                    .y_stride = w.rows,
                    .tokens = tokens,
                    .scratch = scratch.floats()};
  for (int part = 0; part < parts; ++part)
    kernels.linear_fast(l, share((w.rows + kPanel - 1) / kPanel, part, parts));
  return y;
}

std::vector<DType> types_of_codes() {
  std::vector<DType> out;
  for (int i = 0; i < kDTypes; ++i)
    if (quant::code_panels(static_cast<DType>(i))) out.push_back(static_cast<DType>(i));
  return out;
}

TEST(Bytes, every_type_has_the_bits_of_the_scalar_layer) {
  Random random(6);
  for (const DType type : types_of_codes()) {
    for (const int64_t width : {256, 1280}) {
      const PackedMatrix matrix(type, 70, width);
      for (const int64_t tokens : {3, 37}) {
        const auto x = random.floats(static_cast<size_t>(tokens * width), -3, 3);
        const auto expected = product(kScalarBytes, matrix, x, ops::Unary::relu2, 1);
        for (const Kernels* kernels : fast_tables())
          for (const int parts : {1, 3}) {
            const auto got = product(*kernels, matrix, x, ops::Unary::relu2, parts);
            ASSERT_EQ(0, std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)))
                << kernels->name << ", " << dtype_name(type) << ", " << width << " inputs, "
                << tokens << " tokens, " << parts << " parts";
          }
      }
    }
  }
}

TEST(Bytes, an_input_is_off_by_half_a_step_of_its_group_at_most) {
  Random random(7);
  constexpr int64_t kWidth = 512, kTokens = 33, kRows = 50;
  for (const DType type : types_of_codes()) {
    const PackedMatrix matrix(type, kRows, kWidth);
    const int64_t group = matrix.weight().codes.group;
    auto x = random.floats(kTokens * kWidth);
    for (size_t i = 0; i < x.size(); i += 97) x[i] *= 200;  // one large number costs its group
    const auto y = product(*fast_tables().back(), matrix, x, ops::Unary::none, 2);
    for (int64_t t = 0; t < kTokens; ++t) {
      for (int64_t r = 0; r < kRows; ++r) {
        double sum = 0, sizes = 0, error = 0;
        for (int64_t g = 0; g < kWidth; g += group) {
          double most = 0, weights = 0;
          for (int64_t k = g; k < g + group; ++k) {
            const double value = x[static_cast<size_t>(t * kWidth + k)];
            const double weight = matrix.values[static_cast<size_t>(r * kWidth + k)];
            sum += value * weight;
            sizes += std::fabs(value * weight);
            most = std::max(most, std::fabs(value));
            weights += std::fabs(weight);
          }
          error += most / 254 * weights;
        }
        ASSERT_NEAR(y[static_cast<size_t>(t * kRows + r)], sum, 1.001 * error + 1e-4 * sizes)
            << dtype_name(type) << ", row " << r << " of token " << t;
      }
    }
  }
}

TEST(Bytes, a_result_depends_on_its_token_alone) {
  Random random(8);
  constexpr int64_t kWidth = 2304, kTokens = 101;
  const PackedMatrix matrix(DType::q4_k, 90, kWidth);
  const auto x = random.floats(kTokens * kWidth);
  const Kernels& kernels = *fast_tables().back();
  const auto together = product(kernels, matrix, x, ops::Unary::sigmoid, 3);
  for (int64_t t = 0; t < kTokens; t += 11) {
    const auto alone =
        product(kernels, matrix, {x.begin() + t * kWidth, x.begin() + (t + 1) * kWidth},
                ops::Unary::sigmoid, 1);
    EXPECT_EQ(0, std::memcmp(alone.data(), together.data() + t * 90, 90 * sizeof(float))) << t;
  }
}

TEST(Bytes, zeros_and_what_is_no_number_stay_what_they_are) {
  constexpr int64_t kWidth = 256;
  const PackedMatrix matrix(DType::q8_0, 20, kWidth);
  std::vector<float> x(5 * kWidth, 0.0f);
  for (size_t i = kWidth; i < 2 * kWidth; ++i) x[i] = 1e-33f;  // counts as nothing
  x[2 * kWidth + 40] = std::numeric_limits<float>::quiet_NaN();
  x[3 * kWidth + 41] = std::numeric_limits<float>::infinity();
  x[4 * kWidth + 42] = 3e38f;
  for (const Kernels* kernels : fast_tables()) {
    const auto y = product(*kernels, matrix, x, ops::Unary::none, 1);
    for (size_t r = 0; r < 20; ++r) {
      EXPECT_EQ(y[r], 0.0f);
      EXPECT_EQ(y[20 + r], 0.0f);
      EXPECT_TRUE(std::isnan(y[40 + r]));
      EXPECT_TRUE(std::isnan(y[60 + r]));
      EXPECT_FALSE(std::isnan(y[80 + r]));
    }
  }
}

}  // namespace
}  // namespace skein::cpu
