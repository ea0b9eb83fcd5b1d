#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "quant/bytes.h"
#include "quant/formats.h"
#include "quant/imports/bitsandbytes.h"
#include "quant/imports/nf4.h"
#include "quant/imports/pip_i8.h"
#include "quant/imports/webrwkv.h"
#include "quant/plain/bits.h"
#include "quant/read.h"

namespace skein::quant {
namespace {

using test::bits_that_differ;
using test::quant_fixture;
using test::quant_halves;
using test::ulps_apart;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

int64_t largest_ulps(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  int64_t largest = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    largest = std::max(largest, ulps_apart(a[i], b[i]));
  return largest;
}

TEST(Imports, the_nf4_levels_are_those_of_the_fixtures) {
  EXPECT_EQ(bits_that_differ(quant_fixture<float>("nf4_table.f32"), kNf4Levels), 0u);
  for (int level = 0; level < 16; ++level) EXPECT_EQ(nearest_nf4(kNf4Levels[level]), level);
  EXPECT_EQ(nearest_nf4(kNf4Levels[8] / 2), 8);  // as far from level 7: the larger one
  EXPECT_EQ(nearest_nf4(5.0f), 15);
  EXPECT_EQ(nearest_nf4(-5.0f), 0);
}

TEST(Imports, webrwkv_int8_reads_within_one_ulp_and_writes_equal_bytes) {
  const auto codes = quant_fixture<uint8_t>("webrwkv_int8.q.u8");
  const auto minmax = quant_fixture<uint16_t>("webrwkv_int8.minmax.f16");
  std::vector<float> out(2048);
  ASSERT_TRUE(decode_webrwkv_int8(codes, quant_halves("webrwkv_int8.minmax.f16"), out));
  EXPECT_LE(largest_ulps(out, quant_fixture<float>("webrwkv_int8.deq.f32")), 1);

  std::vector<uint8_t> written(codes.size());
  std::vector<uint16_t> scales(minmax.size());
  ASSERT_TRUE(encode_webrwkv_int8(quant_halves("src_f16.f16"), written, scales));
  EXPECT_EQ(written, codes);
  EXPECT_EQ(scales, minmax);
}

TEST(Imports, webrwkv_nf4_reads_equal_bits_and_writes_equal_bytes) {
  const auto codes = quant_fixture<uint8_t>("webrwkv_nf4.q.u8");
  const auto absmax = quant_fixture<uint16_t>("webrwkv_nf4.absmax.f16");
  std::vector<float> out(2048);
  ASSERT_TRUE(decode_webrwkv_nf4(codes, quant_halves("webrwkv_nf4.absmax.f16"), out));
  EXPECT_EQ(bits_that_differ(out, quant_fixture<float>("webrwkv_nf4.deq.f32")), 0u);

  std::vector<uint8_t> written(codes.size());
  std::vector<uint16_t> scales(absmax.size());
  ASSERT_TRUE(encode_webrwkv_nf4(quant_halves("src_f16.f16"), written, scales));
  EXPECT_EQ(written, codes);
  EXPECT_EQ(scales, absmax);
}

TEST(Imports, constant_and_zero_blocks_read_back_as_they_are) {
  for (const float value : {0.0f, 0.25f, -3.0f}) {
    const std::vector<float> values(128, value);
    std::vector<float> out(128);
    std::vector<uint8_t> codes(128);
    uint16_t minmax[2];
    ASSERT_TRUE(encode_webrwkv_int8(values, codes, minmax));
    ASSERT_TRUE(decode_webrwkv_int8(
        codes, std::vector<float>{f16_to_f32(minmax[0]), f16_to_f32(minmax[1])}, out));
    EXPECT_EQ(out, values);
    uint16_t absmax[2];
    ASSERT_TRUE(encode_webrwkv_nf4(values, std::span(codes).first(64), absmax));
    ASSERT_TRUE(decode_webrwkv_nf4(std::span(codes).first(64),
                                   std::vector<float>{f16_to_f32(absmax[0]), f16_to_f32(absmax[1])},
                                   out));
    EXPECT_EQ(out, values);
  }
}

TEST(Imports, bitsandbytes_nf4_reads_equal_bits) {
  std::vector<float> out(2048);
  ASSERT_TRUE(decode_bnb_nf4(quant_fixture<uint8_t>("bnb_nf4.q.u8"),
                             quant_fixture<float>("bnb_nf4.absmax.f32"), out));
  EXPECT_EQ(bits_that_differ(out, quant_fixture<float>("bnb_nf4.deq.f32")), 0u);
}

TEST(Imports, bitsandbytes_double_nf4_reads_equal_bits) {
  const auto codes = quant_fixture<uint8_t>("bnb_nf4_double.qabsmax.u8");
  const auto table = quant_fixture<float>("bnb_nf4_double.code.f32");
  const auto absmax2 = quant_fixture<float>("bnb_nf4_double.absmax2.f32");
  const auto offset = quant_fixture<float>("bnb_nf4_double.offset.f32");
  std::vector<float> out(2048);
  ASSERT_TRUE(decode_bnb_nf4_double(quant_fixture<uint8_t>("bnb_nf4_double.q.u8"),
                                    {codes, table, absmax2, offset.at(0)}, out));
  EXPECT_EQ(bits_that_differ(out, quant_fixture<float>("bnb_nf4_double.deq.f32")), 0u);
}

TEST(Imports, bitsandbytes_may_end_in_a_short_block) {
  const auto codes = quant_fixture<uint8_t>("bnb_nf4.q.u8");
  const auto absmax = quant_fixture<float>("bnb_nf4.absmax.f32");
  std::vector<float> whole(2048);
  ASSERT_TRUE(decode_bnb_nf4(codes, absmax, whole));
  std::vector<float> part(65);
  ASSERT_TRUE(decode_bnb_nf4(std::span(codes).first(33), std::span(absmax).first(2), part));
  EXPECT_EQ(bits_that_differ(part, std::span(whole).first(65)), 0u);
}

TEST(Imports, pip_i8_reads_within_two_ulps) {
  for (const auto& [name, inputs, outputs] :
       {std::tuple("wide", 8, 256), std::tuple("tall", 256, 8)}) {
    const std::string stem = std::string("rwkv_pip_i8_") + name;
    const auto codes = quant_fixture<uint8_t>(stem + ".q.u8");
    const auto mx = quant_halves(stem + ".mx.f16");
    const auto rx = quant_halves(stem + ".rx.f16");
    const auto my = quant_halves(stem + ".my.f16");
    const auto ry = quant_halves(stem + ".ry.f16");
    std::vector<float> out(2048);
    ASSERT_TRUE(decode_pip_i8({inputs, outputs, codes, mx, rx, my, ry}, out));
    EXPECT_LE(largest_ulps(out, quant_fixture<float>(stem + ".deq.f32")), 2) << name;
  }
}

// A tensor around numbers that somebody else keeps.
template <typename T>
StoredTensor stored(DType type, const std::vector<T>& numbers, Shape shape) {
  StoredTensor out;
  out.name = "t";
  out.dtype = type;
  out.shape = shape;
  out.strides = shape.contiguous_strides();
  out.storage = std::as_bytes(std::span(numbers));
  return out;
}

std::vector<uint16_t> halves_of(std::span<const float> numbers) {
  std::vector<uint16_t> out;
  for (const float number : numbers) out.push_back(f32_to_f16(number));
  return out;
}

TEST(Imports, pip_i8_writes_equal_bytes) {
  const auto source = quant_fixture<uint16_t>("src_f16.f16");  // [8, 256]
  const StoredTensor matrix = stored(DType::f16, source, {8, 256});
  // Official matrices are [outputs, inputs]; "wide" has 8 inputs.
  for (const auto& [name, weight] :
       {std::pair("wide", matrix.transposed()), std::pair("tall", matrix)}) {
    const std::string stem = std::string("rwkv_pip_i8_") + name;
    const auto out = encode_pip_i8(weight);
    ASSERT_TRUE(out.has_value()) << out.error().message;
    EXPECT_EQ(out->codes, quant_fixture<uint8_t>(stem + ".q.u8")) << name;
    EXPECT_EQ(halves_of(out->mx), quant_fixture<uint16_t>(stem + ".mx.f16")) << name;
    EXPECT_EQ(halves_of(out->rx), quant_fixture<uint16_t>(stem + ".rx.f16")) << name;
    EXPECT_EQ(halves_of(out->my), quant_fixture<uint16_t>(stem + ".my.f16")) << name;
    EXPECT_EQ(halves_of(out->ry), quant_fixture<uint16_t>(stem + ".ry.f16")) << name;
  }
}

TEST(Imports, pip_i8_reads_back_within_half_a_step_of_its_ranges) {
  std::vector<float> source(200 * 70);
  std::mt19937_64 random(4);
  std::normal_distribution<float> normal(0.01f, 0.5f);
  for (float& number : source) number = normal(random);
  for (const Shape& shape : {Shape{200, 70}, Shape{70, 200}, Shape{1, 14000}}) {
    const StoredTensor weight = stored(DType::f32, source, shape);
    const auto out = encode_pip_i8(weight);
    ASSERT_TRUE(out.has_value()) << out.error().message;
    std::vector<float> back(source.size());
    ASSERT_TRUE(decode_pip_i8(out->view(), back).has_value());
    const auto inputs = static_cast<size_t>(out->inputs);
    const auto outputs = static_cast<size_t>(out->outputs);
    for (size_t m = 0; m < outputs; ++m)
      for (size_t n = 0; n < inputs; ++n) {
        // Half a code, and the rounding of numbers of about one.
        const float bound = 0.5f * out->rx[m] * out->ry[n] + 4e-6f;
        ASSERT_LE(std::fabs(back[n * outputs + m] - source[m * inputs + n]), bound);
      }
  }
}

TEST(Imports, pip_i8_of_equal_numbers_reads_back_as_they_are) {
  for (const float value : {0.0f, 0.25f, -3.0f}) {
    const std::vector<float> source(12, value);
    const auto out = encode_pip_i8(stored(DType::f32, source, {3, 4}));
    ASSERT_TRUE(out.has_value()) << out.error().message;
    std::vector<float> back(12);
    ASSERT_TRUE(decode_pip_i8(out->view(), back).has_value());
    EXPECT_EQ(back, source);
  }
}

TEST(Imports, pip_i8_refuses_what_is_no_matrix_of_numbers) {
  const std::vector<float> bad = {1, 2, 3, kInfinity, 5, 6};
  EXPECT_EQ(encode_pip_i8(stored(DType::f32, bad, {2, 3})).error().code, Code::corrupt);
  EXPECT_EQ(encode_pip_i8(stored(DType::f32, bad, {6})).error().code, Code::argument);
}

// Any part, any orientation, equal to the whole decoded at once.
TEST(Imports, a_pip_i8_tensor_reads_like_the_whole_matrix) {
  for (const auto& [name, inputs, outputs] :
       {std::tuple("wide", 8, 256), std::tuple("tall", 256, 8)}) {
    const std::string stem = std::string("rwkv_pip_i8_") + name;
    const auto codes = quant_fixture<uint8_t>(stem + ".q.u8");
    const auto mx = quant_fixture<uint16_t>(stem + ".mx.f16");
    const auto rx = quant_fixture<uint16_t>(stem + ".rx.f16");
    const auto my = quant_fixture<uint16_t>(stem + ".my.f16");
    const auto ry = quant_fixture<uint16_t>(stem + ".ry.f16");
    const PipI8Tensors parts = {
        stored(DType::u8, codes, {inputs, outputs}), stored(DType::f16, mx, {outputs}),
        stored(DType::f16, rx, {outputs}), stored(DType::f16, my, {inputs, 1}),
        stored(DType::f16, ry, {inputs, 1})};
    std::vector<float> whole(2048);
    ASSERT_TRUE(decode_pip_i8({inputs, outputs, codes, quant_halves(stem + ".mx.f16"),
                               quant_halves(stem + ".rx.f16"), quant_halves(stem + ".my.f16"),
                               quant_halves(stem + ".ry.f16")},
                              whole)
                    .has_value());
    const auto tensor = pip_i8_tensor("blocks.0.att.key.weight", parts);
    ASSERT_TRUE(tensor.has_value()) << tensor.error().message;
    EXPECT_EQ(tensor->shape, (Shape{inputs, outputs}));
    std::vector<float> out(2048);
    ASSERT_TRUE(read_f32(*tensor, out).has_value());
    EXPECT_EQ(bits_that_differ(out, whole), 0u);
    std::vector<float> rows(static_cast<size_t>(3 * outputs));
    ASSERT_TRUE(read_rows_f32(*tensor, 5, 3, rows).has_value());
    EXPECT_EQ(bits_that_differ(
                  rows, std::span(whole).subspan(static_cast<size_t>(5 * outputs), rows.size())),
              0u);
    ASSERT_TRUE(read_f32(tensor->transposed(), out).has_value());
    size_t differing = 0;
    for (int n = 0; n < inputs; ++n)
      for (int m = 0; m < outputs; ++m)
        differing +=
            out[static_cast<size_t>(m * inputs + n)] != whole[static_cast<size_t>(n * outputs + m)];
    EXPECT_EQ(differing, 0u);

    PipI8Tensors swapped = parts;
    std::swap(swapped.mx, swapped.my);
    EXPECT_EQ(pip_i8_tensor("x", swapped).error().code, Code::mismatch);
    PipI8Tensors turned = parts;
    turned.codes = parts.codes.transposed();
    EXPECT_EQ(pip_i8_tensor("x", turned).error().code, Code::mismatch);
    std::vector<uint16_t> broken = rx;
    broken[3] = 0x7c00;
    PipI8Tensors infinite = parts;
    infinite.rx = stored(DType::f16, broken, {outputs});
    EXPECT_EQ(pip_i8_tensor("x", infinite).error().code, Code::corrupt);
  }
}

// The types INT8 and NF4 hold the bytes of web-rwkv's tensors, scales in front of each block.
TEST(Imports, the_block_types_hold_what_webrwkv_keeps_in_two_tensors) {
  const auto source = quant_halves("src_f16.f16");
  const struct {
    DType type;
    std::string stem;
    const char* scales;
    size_t scale_bytes;
  } cases[] = {{DType::int8, "webrwkv_int8", ".minmax.f16", 4},
               {DType::nf4, "webrwkv_nf4", ".absmax.f16", 2}};
  for (const auto& c : cases) {
    const BlockSize size = block_size(c.type);
    const auto count = source.size() / static_cast<size_t>(size.elements);
    const auto codes = test::quant_bytes(c.stem + ".q.u8");
    const auto scales = test::quant_bytes(c.stem + c.scales);
    const size_t code_bytes = static_cast<size_t>(size.bytes) - c.scale_bytes;
    ASSERT_EQ(codes.size(), count * code_bytes);
    std::vector<std::byte> expected;
    for (size_t i = 0; i < count; ++i) {
      const auto scale = std::span(scales).subspan(i * c.scale_bytes, c.scale_bytes);
      const auto code = std::span(codes).subspan(i * code_bytes, code_bytes);
      expected.insert(expected.end(), scale.begin(), scale.end());
      expected.insert(expected.end(), code.begin(), code.end());
    }
    std::vector<std::byte> written(expected.size());
    ASSERT_TRUE(encode(c.type, source, written).has_value());
    EXPECT_TRUE(written == expected) << c.stem;
    std::vector<float> out(source.size());
    ASSERT_TRUE(decode(c.type, expected, out).has_value());
    EXPECT_LE(largest_ulps(out, quant_fixture<float>(c.stem + ".deq.f32")),
              c.type == DType::int8 ? 1 : 0);
  }
}

TEST(Imports, sizes_that_do_not_fit_are_argument_errors) {
  std::vector<uint8_t> codes(256);
  std::vector<float> scales(8);
  std::vector<uint16_t> halves(8);
  std::vector<float> out(256);
  const auto c = std::span<const uint8_t>(codes);
  const auto s = std::span<const float>(scales);
  const std::vector<float> table(256);
  const Status statuses[] = {
      decode_webrwkv_int8(c, s.first(3), out),
      decode_webrwkv_int8(c.first(255), s.first(4), out),
      decode_webrwkv_int8(c.first(100), s.first(4), std::span(out).first(100)),
      decode_webrwkv_nf4(c.first(128), s.first(3), out),
      decode_webrwkv_nf4(c.first(127), s.first(4), out),
      encode_webrwkv_int8(out, std::span(codes).first(255), std::span(halves).first(4)),
      encode_webrwkv_nf4(out, std::span(codes).first(128), std::span(halves).first(5)),
      decode_bnb_nf4(c.first(128), s.first(5), out),
      decode_bnb_nf4(c.first(129), s.first(4), out),
      decode_bnb_nf4_double(c.first(128), {c.first(4), s, s.first(1), 0}, out),
      decode_bnb_nf4_double(c.first(128), {c.first(4), table, s.first(2), 0}, out),
      decode_pip_i8({8, 31, c, s, s, s, s}, out),
      decode_pip_i8({-8, -32, c, s, s, s, s}, out),
      decode_pip_i8({0, 0, c, {}, {}, {}, {}}, out),
  };
  for (const Status& status : statuses) {
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code, Code::argument) << status.error().message;
  }
}

TEST(Imports, scales_that_are_not_finite_are_corrupt) {
  const std::vector<uint8_t> codes(128);
  const std::vector<float> bad(4, kInfinity);
  const std::vector<float> table(256, std::numeric_limits<float>::quiet_NaN());
  const std::vector<float> good(128, 1.0f);
  std::vector<float> out(128);
  const auto c = std::span<const uint8_t>(codes);
  const auto b = std::span<const float>(bad);
  const auto g = std::span<const float>(good);
  const Status statuses[] = {
      decode_webrwkv_int8(c, b.first(2), out),
      decode_webrwkv_nf4(c.first(64), b.first(2), out),
      decode_bnb_nf4(c.first(64), b.first(2), out),
      decode_bnb_nf4_double(c.first(64), {c.first(2), table, g.first(1), 0}, out),
      decode_pip_i8({4, 32, c, g.first(32), g.first(32), g.first(4), b}, out),
  };
  for (const Status& status : statuses) {
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code, Code::corrupt) << status.error().message;
  }
}

TEST(Imports, numbers_beyond_f16_are_not_written) {
  std::vector<float> values(128);
  values[77] = 70000.0f;
  std::vector<uint8_t> codes(128);
  std::vector<uint16_t> scales(2);
  EXPECT_EQ(encode_webrwkv_int8(values, codes, scales).error().code, Code::argument);
  EXPECT_EQ(encode_webrwkv_nf4(values, std::span(codes).first(64), scales).error().code,
            Code::argument);
}

}  // namespace
}  // namespace skein::quant
