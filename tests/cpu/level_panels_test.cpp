// Panels of NF4, MXFP4 and INT8: products with them are those with the decoded matrix, bit for bit.
#include "quant/level_panels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "cpu/dispatch.h"
#include "cpu/flush.h"
#include "cpu/records.h"
#include "cpu/weights.h"
#include "matrix.h"
#include "quant/formats.h"
#include "quant/plain/bits.h"
#include "support/random.h"

namespace skein::cpu {
namespace {

using test::Random;

using Bytes = std::vector<std::byte>;

constexpr DType kTypes[] = {DType::nf4, DType::mxfp4, DType::int8};

// Scales whose products with anything are neither tiny nor huge.
Bytes random_blocks(Random& random, DType type, int64_t elements) {
  const BlockSize size = block_size(type);
  Bytes out(static_cast<size_t>(elements / size.elements * size.bytes));
  for (std::byte& byte : out) byte = static_cast<std::byte>(random.next());
  for (size_t at = 0; at < out.size(); at += static_cast<size_t>(size.bytes)) {
    const uint16_t scales[] = {quant::f32_to_f16(random.uniform(-2, 2)),
                               quant::f32_to_f16(random.uniform(-2, 2))};
    if (type == DType::mxfp4)
      out[at] = static_cast<std::byte>(110 + random.next() % 30);
    else
      std::memcpy(out.data() + at, scales, type == DType::int8 ? 4 : 2);
  }
  return out;
}

std::vector<float> decoded(DType type, const Bytes& blocks) {
  const BlockSize size = block_size(type);
  std::vector<float> out(blocks.size() / static_cast<size_t>(size.bytes) *
                         static_cast<size_t>(size.elements));
  EXPECT_TRUE(quant::decode(type, blocks, out));
  return out;
}

Result<PackedWeights> pack(const ops::WeightData& weight) {
  Pool pool(2);
  return PackedWeights::pack({&weight, 1}, pool, {}, {});
}

std::vector<float> product(const Kernels& kernels, const PackedWeights& weights,
                           const std::vector<float>& x, int64_t tokens, int parts) {
  const FlushSubnormals flush;
  const PackedWeight& matrix = weights[ops::WeightId{0}];
  std::vector<float> y(static_cast<size_t>(tokens * matrix.rows), 7.0f), scratch(kLinearScratch);
  const Linear l = {.panels = matrix.data,
                    .type = matrix.type,
                    .in = matrix.width,
                    .out = matrix.rows,
                    .x = x.data(),
                    .x_stride = matrix.width,
                    .y = y.data(),
                    .y_stride = matrix.rows,
                    .tokens = tokens,
                    .scratch = scratch.data()};
  for (int part = 0; part < parts; ++part)
    kernels.linear(l, share((l.out + kPanel - 1) / kPanel, part, parts));
  return y;
}

// A matrix in its blocks, and the same one decoded before.
struct Both {
  Both(DType type, int64_t rows, int64_t width, Bytes storage) : blocks(std::move(storage)) {
    numbers = decoded(type, blocks);
    kept = *pack(matrix_of(type, rows, width, blocks));
    plain = *pack(matrix_of(DType::f32, rows, width, std::as_bytes(std::span(numbers))));
  }
  Bytes blocks;
  std::vector<float> numbers;
  PackedWeights kept, plain;
};

class LevelPanels_ : public testing::TestWithParam<DType> {};

TEST_P(LevelPanels_, a_product_is_that_of_the_decoded_matrix_to_the_bit) {
  Random random(41);
  const struct {
    int64_t rows, width;
  } shapes[] = {{1, 128}, {33, 384}, {130, 256}, {70, 1152}, {16, 2304}};
  for (const auto& shape : shapes) {
    const Both both(GetParam(), shape.rows, shape.width,
                    random_blocks(random, GetParam(), shape.rows * shape.width));
    ASSERT_NE(levels_of(both.kept[ops::WeightId{0}].type), nullptr);
    for (const int64_t tokens : {1, 2, 5, 12, 13, 33, 100}) {
      const auto x = random.floats(static_cast<size_t>(tokens * shape.width));
      const auto expected = product(**kernels(), both.plain, x, tokens, 1);
      for (const Isa& isa : instruction_sets()) {
        if (!isa.supported) continue;
        for (const int parts : {1, 3}) {
          const auto got = product(*isa.kernels, both.kept, x, tokens, parts);
          ASSERT_EQ(0, std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)))
              << isa.kernels->name << ", " << shape.rows << " x " << shape.width << ", " << tokens
              << " tokens, " << parts << " parts";
        }
      }
    }
  }
}

// The weights themselves: products with one input of 1 and zeros.
void expect_weights(const Both& both, int64_t rows, int64_t width) {
  std::vector<float> x(static_cast<size_t>(width * width));
  for (int64_t k = 0; k < width; ++k) x[static_cast<size_t>(k * width + k)] = 1;
  for (const Isa& isa : instruction_sets()) {
    if (!isa.supported) continue;
    for (const bool together : {false, true}) {
      for (int64_t k = 0; k < width; k += together ? width : 1) {
        const int64_t tokens = together ? width : 1;
        const std::vector<float> some(x.begin() + k * width, x.begin() + (k + tokens) * width);
        const auto y = product(*isa.kernels, both.kept, some, tokens, 1);
        for (int64_t i = 0; i < tokens * rows; ++i) {
          const float weight = both.numbers[static_cast<size_t>(i % rows * width + k + i / rows)];
          const bool flushed = std::fpclassify(weight) == FP_SUBNORMAL;
          ASSERT_EQ(y[static_cast<size_t>(i)], flushed ? 0.0f : weight)
              << isa.kernels->name << ", row " << i % rows << ", input " << k + i / rows;
        }
      }
    }
  }
}

TEST_P(LevelPanels_, every_code_is_the_number_that_a_decoder_makes) {
  const DType type = GetParam();
  const int64_t rows = 64, width = 256;
  Random random(42);
  Bytes blocks = random_blocks(random, type, rows * width);
  // All codes of a block in order.
  const BlockSize size = block_size(type);
  const int64_t first = type == DType::int8 ? 4 : type == DType::nf4 ? 2 : 1;
  int code = 0;
  for (size_t at = 0; at < blocks.size(); at += static_cast<size_t>(size.bytes))
    for (int64_t i = first; i < size.bytes; ++i)
      blocks[at + static_cast<size_t>(i)] = static_cast<std::byte>(code++);
  // Halves that are not normal, and the same twice.
  if (type != DType::mxfp4) {
    const uint16_t strange[] = {0x0001, 0x83ff, 0x0000, 0x0000, 0x7bff, 0xfbff, 0x8000, 0x3c00};
    for (size_t i = 0; i < std::size(strange); i += 2)
      std::memcpy(blocks.data() + i * 3 * static_cast<size_t>(size.bytes), strange + i,
                  static_cast<size_t>(first));
  }
  expect_weights(Both(type, rows, width, blocks), rows, width);
}

INSTANTIATE_TEST_SUITE_P(Types, LevelPanels_, testing::ValuesIn(kTypes),
                         [](const auto& test) { return std::string(dtype_name(test.param)); });

TEST(LevelPanels, every_scale_of_mxfp4_gives_what_is_left_of_its_numbers) {
  constexpr int64_t kRows = 255, kWidth = 32;
  Bytes blocks;
  for (int e = 0; e < 255; ++e) {
    blocks.push_back(static_cast<std::byte>(e));
    for (int i = 0; i < 16; ++i) {
      // 16 codes in the lower halves and one in the upper; near the end only those that fit.
      const int most = e == 254 ? 3 : e == 253 ? 5 : 7;
      const int low = std::min(i & 7, most) | (i & 8), high = std::min(e & 7, most);
      blocks.push_back(static_cast<std::byte>(low | high << 4));
    }
  }
  expect_weights(Both(DType::mxfp4, kRows, kWidth, blocks), kRows, kWidth);
}

TEST_P(LevelPanels_, what_a_decoder_refuses_is_refused) {
  const DType type = GetParam();
  Random random(43);
  const int64_t rows = 35, width = 2 * block_size(type).elements;
  const Bytes good = random_blocks(random, type, rows * width);
  const auto bytes = static_cast<size_t>(block_size(type).bytes);
  ASSERT_TRUE(pack(matrix_of(type, rows, width, good)));
  for (size_t block = 0; block < static_cast<size_t>(2 * rows); ++block) {
    Bytes bad = good;
    const uint16_t infinite = 0x7c00;
    if (type == DType::mxfp4)
      bad[block * bytes] = static_cast<std::byte>(block % 2 ? 255 : 254);
    else
      std::memcpy(bad.data() + block * bytes + (type == DType::int8 && block % 2 ? 2 : 0),
                  &infinite, 2);
    bad[block * bytes + bytes - 1] = std::byte{0x77};  // the largest number of MXFP4
    const auto packed = pack(matrix_of(type, rows, width, bad));
    ASSERT_FALSE(packed) << "block " << block;
    EXPECT_EQ(packed.error().code, Code::corrupt);
  }
}

TEST_P(LevelPanels_, a_matrix_takes_its_bits_and_what_was_announced) {
  const DType type = GetParam();
  Random random(44);
  const int64_t rows = 128, width = 512;
  const Bytes blocks = random_blocks(random, type, rows * width);
  const auto weight = matrix_of(type, rows, width, blocks);
  const auto packed = pack(weight);
  ASSERT_TRUE(packed);
  const PackedWeight& matrix = (*packed)[ops::WeightId{0}];
  EXPECT_EQ(packed->bytes(), static_cast<int64_t>(blocks.size()));
  EXPECT_EQ(PackedWeights::resident_bytes({&weight, 1}), packed->bytes());
  EXPECT_EQ(matrix.bytes_read(), packed->bytes());
  EXPECT_FALSE(packed->can_be_records(0));
  EXPECT_EQ(PackedWeights::widest_unpacked({&weight, 1}), 0);

  auto across = weight;
  across.tensor = across.tensor.transposed();
  EXPECT_EQ((*pack(across))[ops::WeightId{0}].type, PanelType::f32);
}

}  // namespace
}  // namespace skein::cpu
