// Matrices in records: whatever inputs are zero, and whichever way the executor takes, the bits are
// those of the panels.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "cpu/dispatch.h"
#include "cpu/flush.h"
#include "cpu/records.h"
#include "cpu/weights.h"
#include "matrix.h"
#include "quant/formats.h"
#include "quant/panels.h"
#include "support/random.h"

namespace skein::cpu {
namespace {

using test::Random;

std::vector<DType> types_with_records() {
  std::vector<DType> out = {DType::f32, DType::f16, DType::bf16};
  for (int i = 0; i < kDTypes; ++i)
    if (quant::code_panels(static_cast<DType>(i))) out.push_back(static_cast<DType>(i));
  return out;
}

std::vector<std::byte> encoded(DType type, const std::vector<float>& values) {
  const BlockSize block = block_size(type);
  std::vector<std::byte> out(values.size() / static_cast<size_t>(block.elements) *
                             static_cast<size_t>(block.bytes));
  EXPECT_TRUE(quant::encode(type, values, out));
  return out;
}

// Hidden units: a share of them positive, the rest zero.
std::vector<float> hidden(Random& random, int64_t count, double share) {
  std::vector<float> out(static_cast<size_t>(count));
  for (float& x : out)
    if (random.uniform(0, 1) < static_cast<float>(share)) x = random.uniform(0.01f, 4);
  return out;
}

// The same matrix in panels and in records.
struct Pair {
  Pair(DType type, int64_t rows, int64_t width) {
    Random random(31);
    const auto storage = encoded(type, random.floats(static_cast<size_t>(rows * width)));
    const auto weight = matrix_of(type, rows, width, storage);
    for (PackedWeights* weights : {&panels_, &records_}) {
      Pool pool(1);
      auto packed = PackedWeights::pack({&weight, 1}, pool, {}, {});
      EXPECT_TRUE(packed);
      *weights = std::move(*packed);
    }
    Pool pool(2);
    const ops::WeightId id = 0;
    EXPECT_TRUE(records_.make_records({&id, 1}, 0.5, pool));
    EXPECT_TRUE(records().records);
    EXPECT_FALSE(panels().records);
    bias = random.floats(static_cast<size_t>(rows));
  }
  const PackedWeight& panels() const { return panels_[0]; }
  const PackedWeight& records() const { return records_[0]; }

  std::vector<float> bias;

 private:
  PackedWeights panels_, records_;
};

struct Product {
  Product(const Kernels& kernels, const PackedWeight& matrix, const std::vector<float>& x,
          const std::vector<float>& bias)
      : kernels_(kernels), tokens_(static_cast<int64_t>(x.size()) / matrix.width) {
    const QuantisedRow row = {.in = matrix.width, .group = matrix.codes.group};
    quantised_ = *Buffer::make(static_cast<size_t>((tokens_ + 31) / 32 * 32 * row.bytes()));
    if (matrix.type == PanelType::codes)
      kernels.quantise({.x = x.data(),
                        .x_stride = matrix.width,
                        .row = row,
                        .bias = matrix.codes.bias,
                        .out = quantised_.data()},
                       {0, tokens_});
    scratch_.resize(kLinearScratch);
    y_.assign(static_cast<size_t>(tokens_ * matrix.rows), 7.0f);
    linear = {.panels = matrix.data,
              .type = matrix.type,
              .codes = matrix.codes,
              .records = matrix.records,
              .in = matrix.width,
              .out = matrix.rows,
              .bias = bias.data(),
              .function = ops::Unary::silu,
              .x = x.data(),
              .x_stride = matrix.width,
              .quantised = quantised_.data(),
              .y = y_.data(),
              .y_stride = matrix.rows,
              .tokens = tokens_,
              .scratch = scratch_.data()};
  }
  std::vector<float> run(int parts) {
    const FlushSubnormals flush;
    for (int part = 0; part < parts; ++part)
      kernels_.linear(linear, share(linear.out / kPanel, part, parts));
    return y_;
  }

  Linear linear;

 private:
  const Kernels& kernels_;
  int64_t tokens_;
  Buffer quantised_;
  std::vector<float> scratch_, y_;
};

class Sparse : public testing::TestWithParam<DType> {};

TEST_P(Sparse, products_have_the_bits_of_panels_whatever_inputs_are_zero) {
  const struct {
    int64_t rows, width;
  } shapes[] = {{128, 256}, {384, 512}};
  for (const auto& shape : shapes) {
    const Pair pair(GetParam(), shape.rows, shape.width);
    Random random(32);
    for (const double active : {0.0, -1.0, 0.13, 0.5, 1.0}) {
      for (const int64_t tokens : {1, 3, 40}) {
        auto x = hidden(random, tokens * shape.width, active);
        if (active < 0) x[static_cast<size_t>(shape.width - 1)] = 2;  // a single one
        // That panels have the scalar bits everywhere is code_panels_test.cpp's to say.
        Product dense(**kernels(""), pair.panels(), x, pair.bias);
        const auto expected = dense.run(1);
        for (const Isa& isa : instruction_sets()) {
          if (!isa.supported || (isa.kernels == &kScalarKernels && tokens > 3)) continue;
          for (const int parts : {1, 3}) {
            Product sparse(*isa.kernels, pair.records(), x, pair.bias);
            const auto got = sparse.run(parts);
            ASSERT_EQ(0, std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)))
                << isa.kernels->name << ", " << shape.rows << " x " << shape.width << ", " << tokens
                << " tokens, " << parts << " parts, share " << active;
          }
        }
      }
    }
  }
}

TEST_P(Sparse, records_become_the_panels_they_were) {
  const Pair pair(GetParam(), 384, 768);
  const PackedWeight& matrix = pair.panels();
  const int64_t panel = matrix.type == PanelType::codes
                            ? matrix.codes.panel_bytes(768)
                            : 768 * kPanel * (matrix.type == PanelType::f32 ? 4 : 2);
  const std::vector<float> x(768);
  for (const Isa& isa : instruction_sets()) {
    if (!isa.supported) continue;
    const Product product(*isa.kernels, pair.records(), x, pair.bias);
    std::vector<std::byte> panels(static_cast<size_t>(16 * panel));
    isa.kernels->unpack_records(product.linear, {8, 24}, panels.data());
    EXPECT_EQ(0, std::memcmp(panels.data(), matrix.data + 8 * panel, panels.size()))
        << isa.kernels->name;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Sparse, testing::ValuesIn(types_with_records()),
                         [](const auto& type) { return std::string(dtype_name(type.param)); });

TEST(SparseMatrices, that_hold_an_infinity_are_refused_before_a_zero_could_hide_it) {
  for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
    std::vector<float> values(128 * 64, 0.5f);
    values[77] = std::numeric_limits<float>::infinity();
    const auto storage = encoded(type, values);
    const auto weight = matrix_of(type, 128, 64, storage);
    Pool pool(2);
    const auto packed = PackedWeights::pack({&weight, 1}, pool, {}, {});
    ASSERT_FALSE(packed);
    EXPECT_EQ(packed.error().code, Code::corrupt);
    EXPECT_NE(packed.error().message.find("rows 0 to 15"), std::string::npos);
  }
}

TEST(SparseMatrices, are_those_behind_relu_squared) {
  ops::Program program;
  program.values.resize(6);
  const auto linear = [&](ops::ValueId in, ops::ValueId out, ops::WeightId matrix,
                          ops::Unary function = ops::Unary::none) {
    ops::Op op = {.kind = ops::OpKind::linear, .out = out, .function = function};
    op.in[0] = in;
    op.weight[0] = matrix;
    program.ops.push_back(op);
  };
  linear(0, 1, 0, ops::Unary::relu2);
  linear(1, 2, 1);
  linear(2, 3, 2, ops::Unary::sigmoid);
  ops::Op mul = {.kind = ops::OpKind::mul, .out = 4};
  mul.in[0] = 3;
  mul.in[1] = 1;
  program.ops.push_back(mul);
  linear(4, 5, 3);
  EXPECT_EQ(matrices_of_sparse_inputs(program), (std::vector<ops::WeightId>{1, 3}));
}

TEST(SparseMatrices, are_skipped_through_by_one_token_and_by_more_while_it_is_less_work) {
  std::vector<float> x(64 * 1000);
  for (size_t i = 0; i < x.size(); i += 10) x[i] = 1;  // a tenth
  Linear l = {.type = PanelType::codes, .in = 1000, .x = x.data(), .x_stride = 1000, .tokens = 1};
  EXPECT_TRUE(worth_skipping(l));
  l.tokens = 12;
  EXPECT_TRUE(worth_skipping(l));
  l.tokens = 40;
  EXPECT_FALSE(worth_skipping(l));
  l.type = PanelType::f16;
  EXPECT_TRUE(worth_skipping(l));
  // A beginning unlike the rest does not decide for it.
  l.tokens = 64;
  std::fill(x.begin(), x.begin() + 16 * 1000, 1.0f);
  EXPECT_TRUE(worth_skipping(l));
  std::fill(x.begin(), x.end(), 1.0f);
  EXPECT_FALSE(worth_skipping(l));
}

}  // namespace
}  // namespace skein::cpu
