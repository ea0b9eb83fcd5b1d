// Panels of codes: every instruction set gives the scalar bits, and those are the product with the
// decoded weights but for the rounding of activations to 16 bits.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "cpu/dispatch.h"
#include "cpu/flush.h"
#include "cpu/weights.h"
#include "matrix.h"
#include "quant/formats.h"
#include "quant/level_panels.h"
#include "quant/panels.h"
#include "quant/read.h"
#include "support/random.h"

namespace skein::cpu {
namespace {

using quant::code_panels;
using test::Random;

std::vector<DType> types_with_codes() {
  std::vector<DType> out;
  for (int i = 0; i < kDTypes; ++i)
    if (code_panels(static_cast<DType>(i))) out.push_back(static_cast<DType>(i));
  return out;
}

// Rows of blocks of random bytes: all codes and sub-scales, and scales of both signs and all sizes
// but infinite ones.
std::vector<std::byte> random_blocks(Random& random, DType type, int64_t elements) {
  const BlockSize size = block_size(type);
  std::vector<std::byte> out;
  std::vector<std::byte> block(static_cast<size_t>(size.bytes));
  std::vector<float> values(static_cast<size_t>(size.elements));
  for (int64_t i = 0; i < elements / size.elements; ++i) {
    do {
      for (std::byte& byte : block) byte = static_cast<std::byte>(random.next());
    } while (!quant::decode(type, block, values));
    out.insert(out.end(), block.begin(), block.end());
  }
  return out;
}

Result<PackedWeights> pack(const ops::WeightData& weight, int threads = 1) {
  Pool pool(threads);
  return PackedWeights::pack({&weight, 1}, pool, {}, {});
}

std::vector<float> decoded(DType type, std::span<const std::byte> blocks) {
  const BlockSize size = block_size(type);
  std::vector<float> out(blocks.size() / static_cast<size_t>(size.bytes) *
                         static_cast<size_t>(size.elements));
  EXPECT_TRUE(quant::decode(type, blocks, out));
  return out;
}

std::vector<float> product(const Kernels& kernels, const PackedWeight& matrix,
                           const std::vector<float>& x, const std::vector<float>& bias,
                           int64_t tokens, int parts) {
  const FlushSubnormals flush;
  std::vector<float> y(static_cast<size_t>(tokens * matrix.rows), 7.0f);
  std::vector<float> scratch(kLinearScratch);
  const QuantisedRow row = {.in = matrix.width, .group = matrix.codes.group};
  const int64_t whole_tiles = (tokens + 15) / 16 * 16;
  auto quantised = *Buffer::make(static_cast<size_t>(whole_tiles * row.bytes()));
  const Quantise q = {.x = x.data(),
                      .x_stride = matrix.width,
                      .row = row,
                      .bias = matrix.codes.bias,
                      .out = quantised.data()};
  for (int part = 0; part < parts; ++part) kernels.quantise(q, share(tokens, part, parts));
  const Linear l = {.panels = matrix.data,
                    .type = matrix.type,
                    .codes = matrix.codes,
                    .in = matrix.width,
                    .out = matrix.rows,
                    .bias = bias.data(),
                    .quantised = quantised.data(),
                    .y = y.data(),
                    .y_stride = matrix.rows,
                    .tokens = tokens,
                    .scratch = scratch.data()};
  for (int part = 0; part < parts; ++part)
    kernels.linear(l, share((l.out + kPanel - 1) / kPanel, part, parts));
  return y;
}

struct Product {
  Product(DType type, int64_t rows, int64_t width, int seed)
      : type_(type), rows_(rows), width_(width) {
    Random random(static_cast<uint64_t>(seed));
    blocks_ = random_blocks(random, type, rows * width);
    auto packed = pack(matrix_of(type, rows, width, blocks_));
    EXPECT_TRUE(packed);
    packed_ = std::move(*packed);
    bias_ = random.floats(static_cast<size_t>(rows));
  }
  const PackedWeight& matrix() const { return packed_[ops::WeightId{0}]; }
  std::vector<float> on(const Kernels& kernels, const std::vector<float>& x, int parts = 1) const {
    return product(kernels, matrix(), x, bias_, static_cast<int64_t>(x.size()) / width_, parts);
  }
  // Half a step of the activations' codes for every weight, and f32's rounding.
  void expect_right(const std::vector<float>& x, const std::vector<float>& y) const {
    const auto w = decoded(type_, blocks_);
    for (int64_t t = 0; t < static_cast<int64_t>(x.size()) / width_; ++t) {
      const float* row = x.data() + t * width_;
      double most = 0;
      for (int64_t k = 0; k < width_; ++k) most = std::max(most, std::abs(double{row[k]}));
      for (int64_t r = 0; r < rows_; ++r) {
        double sum = 0, sizes = 0;
        for (int64_t k = 0; k < width_; ++k) {
          const double weight = w[static_cast<size_t>(r * width_ + k)];
          sum += weight * row[k];
          sizes += std::abs(weight);
        }
        const double got = y[static_cast<size_t>(t * rows_ + r)];
        ASSERT_NEAR(got, sum + bias_[static_cast<size_t>(r)],
                    most * sizes * (0.5 / 32512 + 0x1p-18) + 1e-6)
            << "row " << r << " of token " << t;
      }
    }
  }

 private:
  DType type_;
  int64_t rows_, width_;
  std::vector<std::byte> blocks_;
  PackedWeights packed_;
  std::vector<float> bias_;
};

class QuantPanels : public testing::TestWithParam<DType> {};

TEST_P(QuantPanels, a_product_is_that_of_the_decoded_matrix_on_every_instruction_set) {
  const DType type = GetParam();
  Random random(11);
  const int64_t block = block_size(type).elements;
  const struct {
    int64_t rows, width;
  } shapes[] = {{1, block}, {33, 3 * block}, {70, 2 * block}, {130, block}, {17, 1280}, {40, 2304}};
  for (const auto& shape : shapes) {
    const Product product(type, shape.rows, shape.width, 15);
    ASSERT_EQ(product.matrix().type, PanelType::codes);
    for (const int64_t tokens : {1, 2, 5, 33}) {
      const auto x = random.floats(static_cast<size_t>(tokens * shape.width));
      const auto expected = product.on(kScalarKernels, x);
      product.expect_right(x, expected);
      for (const Isa& isa : instruction_sets()) {
        if (!isa.supported) continue;
        for (const int parts : {1, 3}) {
          if (&isa == &instruction_sets().front() && tokens > 12)
            continue;  // slow, and what is expected
          const auto got = product.on(*isa.kernels, x, parts);
          ASSERT_EQ(0, std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)))
              << isa.kernels->name << ", " << shape.rows << " x " << shape.width << ", " << tokens
              << " tokens, " << parts << " parts";
        }
      }
    }
  }
}

TEST_P(QuantPanels, a_token_does_not_depend_on_those_beside_it) {
  const int64_t width = 1280, tokens = 40;
  const Product product(GetParam(), 50, width, 16);
  Random random(17);
  const auto x = random.floats(static_cast<size_t>(tokens * width));
  for (const Isa& isa : instruction_sets()) {
    if (!isa.supported) continue;
    const auto together = product.on(*isa.kernels, x);
    for (int64_t t = 0; t < tokens; t += 13) {
      const auto alone =
          product.on(*isa.kernels, {x.begin() + t * width, x.begin() + (t + 1) * width});
      EXPECT_EQ(0, std::memcmp(alone.data(), together.data() + t * 50, 50 * sizeof(float)))
          << isa.kernels->name << ", token " << t;
    }
  }
}

TEST_P(QuantPanels, the_largest_activations_and_codes_fit_the_sums) {
  const int64_t width = 512;
  const Product product(GetParam(), 32, width, 18);
  std::vector<float> x(static_cast<size_t>(3 * width), 3.0f);
  for (int64_t k = 0; k < width; ++k) x[static_cast<size_t>(width + k)] = k % 2 ? -1e4f : 1e4f;
  for (const Isa& isa : instruction_sets())
    if (isa.supported) product.expect_right(x, product.on(*isa.kernels, x));
}

TEST_P(QuantPanels, rows_of_zeros_and_of_strange_numbers_stay_what_they_are) {
  const int64_t width = 512, rows = 20;
  const Product product(GetParam(), rows, width, 19);
  Random random(20);
  auto x = random.floats(static_cast<size_t>(4 * width));
  std::fill_n(x.begin(), width, 0.0f);
  std::fill_n(x.begin() + width, width, 1e-35f);
  x[static_cast<size_t>(2 * width + 77)] = std::numeric_limits<float>::infinity();
  x[static_cast<size_t>(3 * width + 500)] = std::numeric_limits<float>::quiet_NaN();
  for (const Isa& isa : instruction_sets()) {
    if (!isa.supported) continue;
    const auto y = product.on(*isa.kernels, x);
    const auto zero = product.on(*isa.kernels, std::vector<float>(static_cast<size_t>(width)));
    for (size_t r = 0; r < static_cast<size_t>(rows); ++r) {
      EXPECT_EQ(y[r], zero[r]);
      EXPECT_EQ(y[rows + r], zero[r]);
      EXPECT_TRUE(std::isnan(y[2 * rows + r]));
      EXPECT_TRUE(std::isnan(y[3 * rows + r]));
    }
  }
}

TEST_P(QuantPanels, a_scale_that_is_no_number_is_refused_wherever_it_stands) {
  const DType type = GetParam();
  Random random(12);
  const int64_t rows = 35, width = 2 * block_size(type).elements;
  const auto good = random_blocks(random, type, rows * width);
  const auto bytes = static_cast<size_t>(block_size(type).bytes);
  int refused = 0;
  for (size_t block = 0; block < static_cast<size_t>(2 * rows); ++block) {
    for (size_t at = 0; at + 2 <= bytes; at += 2) {
      auto bad = good;
      const uint16_t infinite = 0x7c00;
      std::memcpy(bad.data() + block * bytes + at, &infinite, 2);
      std::vector<float> values(bad.size() / bytes * static_cast<size_t>(width / 2));
      const Status as_decoded = quant::decode(type, bad, values);
      if (as_decoded && at > 0 && at + 4 <= bytes) continue;
      const auto packed = pack(matrix_of(type, rows, width, bad));
      ASSERT_EQ(packed.has_value(), as_decoded.has_value()) << "block " << block;
      if (packed) continue;
      EXPECT_EQ(packed.error().code, Code::corrupt);
      ++refused;
    }
  }
  EXPECT_GE(refused, 2 * rows);
}

// The panels of a matrix one after the other, at an address that kernels take.
Buffer panels_of(DType type, int64_t rows, int64_t width, std::span<const std::byte> blocks) {
  const int64_t bytes = code_panels(type)->panel_bytes(width);
  const int64_t row_bytes = width / block_size(type).elements * block_size(type).bytes;
  auto out = *Buffer::make(static_cast<size_t>((rows + kPanel - 1) / kPanel * bytes));
  for (int64_t row = 0; row < rows; row += kPanel)
    EXPECT_TRUE(quant::pack_codes(type, blocks.data() + row * row_bytes,
                                  std::min(kPanel, rows - row), width,
                                  out.data() + row / kPanel * bytes));
  return out;
}

ops::WeightData ready_matrix(DType type, int64_t rows, int64_t width, const Buffer& panels) {
  auto out = matrix_of(type, rows, width, {panels.data(), panels.size()});
  out.tensor.layout = Layout::codes16;
  out.tensor.panel_width = width;
  return out;
}

TEST_P(QuantPanels, a_panel_holds_the_blocks_it_was_made_from) {
  const DType type = GetParam();
  Random random(21);
  const int64_t rows = 37, width = 3 * block_size(type).elements;
  const auto blocks = random_blocks(random, type, rows * width);
  const Buffer panels = panels_of(type, rows, width, blocks);
  const auto tensor = ready_matrix(type, rows, width, panels).tensor;
  std::vector<std::byte> back(blocks.size());
  ASSERT_TRUE(quant::read_row_blocks(tensor, 0, rows, back));
  EXPECT_EQ(back, blocks);
  std::vector<float> numbers(static_cast<size_t>(rows * width));
  ASSERT_TRUE(quant::read_f32(tensor, numbers));
  EXPECT_EQ(numbers, decoded(type, blocks));
  // Across the rows, and from within a block of a later row.
  const StoredTensor across = tensor.transposed();
  std::vector<float> column(static_cast<size_t>(rows));
  ASSERT_TRUE(quant::read_rows_f32(across, 40, 1, column));
  for (int64_t r = 0; r < rows; ++r)
    EXPECT_EQ(column[static_cast<size_t>(r)], numbers[static_cast<size_t>(r * width + 40)]);
  std::vector<float> some(50);
  ASSERT_TRUE(quant::read_range_f32(tensor, 20 * width + 7, some));
  EXPECT_TRUE(std::equal(some.begin(), some.end(), numbers.begin() + 20 * width + 7));
  // The rows that the last panel lacks are there to be read by a kernel, not by anybody else.
  auto beyond = tensor;
  beyond.shape = {49, width};
  std::vector<float> too_many(static_cast<size_t>(49 * width));
  EXPECT_FALSE(quant::read_f32(beyond, too_many));
}

TEST_P(QuantPanels, ready_panels_are_used_where_they_lie) {
  const DType type = GetParam();
  Random random(22);
  const int64_t rows = 37, width = 512;
  const auto blocks = random_blocks(random, type, rows * width);
  const auto made = pack(matrix_of(type, rows, width, blocks));
  const Buffer panels = panels_of(type, rows, width, blocks);
  const auto weight = ready_matrix(type, rows, width, panels);
  const auto ready = pack(weight, 3);
  ASSERT_TRUE(made && ready);
  const PackedWeight& matrix = (*ready)[ops::WeightId{0}];
  EXPECT_EQ(matrix.data, panels.data());
  EXPECT_TRUE(ready->mapped());
  EXPECT_EQ(ready->bytes(), made->bytes());
  EXPECT_EQ(PackedWeights::resident_bytes({&weight, 1}), made->bytes());
  EXPECT_EQ(0, std::memcmp(matrix.data, (*made)[ops::WeightId{0}].data, panels.size()));
  // Elsewhere it is not a kernel's to read, and is copied as it is.
  std::vector<std::byte> odd(panels.size() + 1);
  std::memcpy(odd.data() + 1, panels.data(), panels.size());
  auto moved = weight;
  moved.tensor.storage = std::span(odd).subspan(1);
  const auto copied = pack(moved);
  ASSERT_TRUE(copied);
  EXPECT_FALSE(copied->mapped());
  EXPECT_EQ(0, std::memcmp((*copied)[ops::WeightId{0}].data, matrix.data, panels.size()));
}

// Of a stack of matrices each is used by itself: where it begins and ends as panels do it stays in
// the file, elsewhere it is packed anew, into the panels that its rows alone would have.
TEST_P(QuantPanels, a_part_of_ready_panels_is_the_matrix_of_its_rows) {
  const DType type = GetParam();
  Random random(24);
  const int64_t rows = 83, width = 512;
  const auto blocks = random_blocks(random, type, rows * width);
  const Buffer panels = panels_of(type, rows, width, blocks);
  const auto row_bytes =
      static_cast<size_t>(width / block_size(type).elements * block_size(type).bytes);
  for (const int64_t first : {0, 1, 16, 40, 64})
    for (const int64_t count : {1, 16, 19, 32}) {
      auto part = ready_matrix(type, rows, width, panels);
      if (first + count > rows) continue;
      part.tensor.shape = {count, width};
      part.tensor.offset = first * width;
      const auto got = pack(part, 2);
      const auto alone =
          pack(matrix_of(type, count, width,
                         std::span(blocks).subspan(static_cast<size_t>(first) * row_bytes,
                                                   static_cast<size_t>(count) * row_bytes)));
      ASSERT_TRUE(got && alone) << "rows " << first << " to " << first + count;
      const PackedWeight &a = (*got)[ops::WeightId{0}], &b = (*alone)[ops::WeightId{0}];
      EXPECT_EQ(got->mapped(), first % 16 == 0 && (count % 16 == 0 || first + count > 80));
      ASSERT_EQ(a.type, PanelType::codes);
      EXPECT_EQ(got->bytes(), alone->bytes());
      EXPECT_EQ(0, std::memcmp(a.data, b.data,
                               static_cast<size_t>(count / 16 * a.codes.panel_bytes(width))));
      const std::vector<float> x = random.floats(static_cast<size_t>(width)), none(83);
      EXPECT_EQ(product(kScalarKernels, a, x, none, 1, 1),
                product(kScalarKernels, b, x, none, 1, 1));
    }
}

// Kernels take a byte for what it is, everybody else by way of the block that it would be of: a
// byte that no block gives is refused by all, in whole panels and in the last one.
TEST_P(QuantPanels, ready_panels_are_taken_where_blocks_would_give_them) {
  const DType type = GetParam();
  const int64_t rows = 33, width = 512;
  const CodePanels& shape = *code_panels(type);
  Random random(23);
  Buffer panels = panels_of(type, rows, width, random_blocks(random, type, rows * width));
  const auto weight = ready_matrix(type, rows, width, panels);
  const int64_t bytes = shape.panel_bytes(width), codes = shape.codes_bytes(width);
  std::vector<int64_t> places = {
      0, 1, 63, codes - 64, shape.scales_at(width), shape.scales_at(width) + 1};
  if (shape.shifted) places.push_back(shape.offsets_at(width) + 1);
  if (shape.block != shape.group) {
    places.push_back(shape.multipliers_at(width));
    places.push_back(shape.multipliers_at(width) + shape.multipliers_bytes(width) - 16);
    if (shape.shifted) places.push_back(shape.offset_multipliers_at(width));
  }
  int refused = 0;
  for (const int64_t panel : {0, 2})
    for (const int64_t at : places)
      for (int value = 0; value < 256; ++value) {
        std::byte& byte = panels.data()[panel * bytes + at];
        const std::byte before = std::exchange(byte, static_cast<std::byte>(value));
        const auto packed = pack(weight);
        std::vector<float> numbers(static_cast<size_t>(rows * width));
        const Status read = quant::read_f32(weight.tensor, numbers);
        ASSERT_EQ(packed.has_value(), read.has_value())
            << "panel " << panel << " at " << at << ", byte " << value;
        if (!packed) {
          EXPECT_EQ(packed.error().code, Code::corrupt);
          EXPECT_EQ(read.error().code, Code::corrupt);
          ++refused;
        }
        byte = before;
      }
  EXPECT_GE(refused, 4) << "infinite scales at least";
  EXPECT_TRUE(pack(weight, 2));
}

TEST_P(QuantPanels, a_table_is_refused_for_a_scale_in_any_of_its_rows) {
  const DType type = GetParam();
  Random random(26);
  const int64_t rows = 23, width = 512;
  const auto good = random_blocks(random, type, rows * width);
  auto bad = good;
  auto weight = matrix_of(type, rows, width, bad);
  weight.use = ops::WeightUse::table;
  EXPECT_TRUE(pack(weight, 2));
  const auto bytes = static_cast<size_t>(block_size(type).bytes);
  for (size_t block = 0; block < bad.size() / bytes; block += 5) {
    std::memset(bad.data() + block * bytes, 0xff, bytes);
    const auto refused = pack(weight, 2);
    ASSERT_FALSE(refused) << block;
    EXPECT_EQ(refused.error().code, Code::corrupt);
    std::copy(good.begin(), good.end(), bad.begin());
  }
}

TEST_P(QuantPanels, threads_pack_the_same_bytes_and_find_the_same_error) {
  const DType type = GetParam();
  Random random(24);
  const int64_t rows = 150, width = 512;
  auto blocks = random_blocks(random, type, rows * width);
  const auto weight = matrix_of(type, rows, width, blocks);
  const auto alone = pack(weight);
  ASSERT_TRUE(alone);
  const auto size = static_cast<size_t>(alone->bytes());
  for (const int threads : {2, 3, 7}) {
    const auto together = pack(weight, threads);
    ASSERT_TRUE(together);
    EXPECT_EQ(
        0, std::memcmp((*together)[ops::WeightId{0}].data, (*alone)[ops::WeightId{0}].data, size));
  }
  const auto bytes = static_cast<size_t>(block_size(type).bytes);
  for (size_t block = blocks.size() / bytes / 3; block < blocks.size() / bytes; block += 7)
    std::memset(blocks.data() + block * bytes, 0xff, bytes);
  const auto refused = pack(weight);
  ASSERT_FALSE(refused);
  for (const int threads : {2, 3, 7})
    EXPECT_EQ(pack(weight, threads).error().message, refused.error().message);
}

TEST_P(QuantPanels, what_is_reserved_is_what_is_kept) {
  const DType type = GetParam();
  Random random(13);
  const int64_t rows = 48, width = 512;
  const auto blocks = random_blocks(random, type, rows * width);
  const auto weight = matrix_of(type, rows, width, blocks);
  const auto packed = pack(weight);
  ASSERT_TRUE(packed);
  EXPECT_EQ(PackedWeights::resident_bytes({&weight, 1}), packed->bytes());
  EXPECT_EQ((*packed)[ops::WeightId{0}].bytes_read(), packed->bytes());
  EXPECT_LE(packed->bytes() * 8, rows * width * 9) << "no type needs more than 9 bits";
}

TEST_P(QuantPanels, a_view_across_the_rows_is_decoded) {
  const DType type = GetParam();
  Random random(14);
  const int64_t rows = 256, width = 512;
  const auto blocks = random_blocks(random, type, rows * width);
  auto weight = matrix_of(type, rows, width, blocks);
  weight.tensor = weight.tensor.transposed();
  const auto packed = pack(weight);
  ASSERT_TRUE(packed);
  const PackedWeight& matrix = (*packed)[ops::WeightId{0}];
  EXPECT_EQ(matrix.type, PanelType::f32);
  EXPECT_EQ(matrix.bytes_read(), rows * width * 4);
  const auto numbers = decoded(type, blocks);
  const auto* panels = reinterpret_cast<const float*>(matrix.data);
  for (int64_t k = 0; k < rows; ++k)
    EXPECT_EQ(panels[k * kPanel + 3], numbers[static_cast<size_t>(k * width + 3)]);
}

INSTANTIATE_TEST_SUITE_P(Types, QuantPanels, testing::ValuesIn(types_with_codes()),
                         [](const auto& test) { return std::string(dtype_name(test.param)); });

TEST(QuantPanels_, every_type_that_weights_are_written_in_keeps_its_codes) {
  for (int i = 0; i < kDTypes; ++i) {
    const auto type = static_cast<DType>(i);
    if (block_size(type).elements == 1 || !quant::encodable(type)) continue;
    const bool decoded = type == DType::q8_1 || type == DType::q8_k;  // activations' types
    EXPECT_EQ(!code_panels(type) && !quant::level_panels(type), decoded) << dtype_name(type);
    EXPECT_FALSE(code_panels(type) && quant::level_panels(type)) << dtype_name(type);
  }
}

TEST(QuantPanels_, numbers_of_any_width_and_number_of_rows_are_put_side_by_side) {
  Random random(25);
  for (const int64_t bytes : {2, 4}) {
    for (const int64_t width : {1, 7, 8, 9, 64, 131}) {
      for (const int64_t rows : {1, 15, 16}) {
        std::vector<std::byte> numbers(static_cast<size_t>(rows * width * bytes));
        for (std::byte& byte : numbers) byte = static_cast<std::byte>(random.next());
        std::vector<std::byte> panel(static_cast<size_t>(kPanel * width * bytes), std::byte{7});
        quant::pack_numbers(bytes, numbers.data(), rows, width, panel.data());
        for (int64_t row = 0; row < kPanel; ++row)
          for (int64_t k = 0; k < width * bytes; ++k)
            ASSERT_EQ(
                panel[static_cast<size_t>((k / bytes * kPanel + row) * bytes + k % bytes)],
                row < rows ? numbers[static_cast<size_t>(row * width * bytes + k)] : std::byte{0})
                << rows << " x " << width;
      }
    }
  }
}

TEST(QuantPanels_, four_bit_blocks_of_32_take_their_size_in_the_file) {
  for (const DType type : {DType::q4_0, DType::q4_1, DType::iq4_nl, DType::q8_0})
    EXPECT_EQ(code_panels(type)->panel_bytes(64), kPanel * 2 * block_size(type).bytes);
}

}  // namespace
}  // namespace skein::cpu
