#include "quant/formats.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <random>

#include "base/json.h"
#include "quant/bytes.h"

namespace skein::quant {
namespace {

using test::bits_that_differ;
using test::fixture_type;
using test::quant_bytes;
using test::quant_fixture;

constexpr DType kFixtureTypes[] = {
    DType::f16,  DType::bf16, DType::q4_0,   DType::q4_1,   DType::q5_0, DType::q5_1,
    DType::q8_0, DType::q8_1, DType::q2_k,   DType::q3_k,   DType::q4_k, DType::q5_k,
    DType::q6_k, DType::q8_k, DType::iq4_nl, DType::iq4_xs, DType::mxfp4};
// Written by a formula, so that the bytes are given.
constexpr DType kWritten[] = {DType::f16,  DType::bf16, DType::q4_0, DType::q4_1, DType::q5_0,
                              DType::q5_1, DType::q8_0, DType::q8_1, DType::q8_k};
// Written by a search: search_test.cpp has more of them.
constexpr DType kSearched[] = {DType::q2_k, DType::q3_k,   DType::q4_k,  DType::q5_k,
                               DType::q6_k, DType::iq4_nl, DType::iq4_xs};
constexpr DType kRefused[] = {DType::iq2_xxs, DType::iq2_xs, DType::iq2_s, DType::iq3_xxs,
                              DType::iq3_s,   DType::iq1_s,  DType::iq1_m, DType::tq1_0,
                              DType::tq2_0,   DType::unread};
constexpr const char* kSources[] = {"gauss", "edge"};

size_t elements_of(DType type) { return static_cast<size_t>(block_size(type).elements); }
size_t bytes_of(DType type) { return static_cast<size_t>(block_size(type).bytes); }

std::vector<float> decoded(DType type, std::span<const std::byte> blocks) {
  std::vector<float> out(blocks.size() / bytes_of(type) * elements_of(type));
  const Status status = decode(type, blocks, out);
  EXPECT_TRUE(status.has_value()) << dtype_name(type) << ": " << status.error().message;
  return out;
}

std::vector<std::byte> encoded(DType type, std::span<const float> values) {
  std::vector<std::byte> out(values.size() / elements_of(type) * bytes_of(type));
  const Status status = encode(type, values, out);
  EXPECT_TRUE(status.has_value()) << dtype_name(type) << ": " << status.error().message;
  return out;
}

std::vector<DType> block_writers() {
  std::vector<DType> out;
  for (int i = 0; i < kDTypes; ++i)
    if (const auto type = static_cast<DType>(i); encodable(type) && elements_of(type) > 1)
      out.push_back(type);
  return out;
}

TEST(Formats, readers_equal_the_fixtures_bit_for_bit) {
  for (const DType type : kFixtureTypes)
    for (const char* source : kSources) {
      const std::string stem = fixture_type(type) + "." + source;
      const auto expected = quant_fixture<float>(stem + ".deq.f32");
      ASSERT_EQ(expected.size(), 2048u);
      EXPECT_EQ(bits_that_differ(decoded(type, quant_bytes(stem + ".bin")), expected), 0u) << stem;
    }
}

TEST(Formats, writers_equal_the_fixtures_byte_for_byte) {
  for (const DType type : kWritten)
    for (const char* source : kSources) {
      const auto values = quant_fixture<float>(std::string("src_") + source + ".f32");
      EXPECT_TRUE(encoded(type, values) == quant_bytes(fixture_type(type) + "." + source + ".bin"))
          << dtype_name(type) << " " << source;
    }
}

TEST(Formats, activations_equal_the_fixtures) {
  const auto values = quant_fixture<float>("act.f32");
  for (const DType type : {DType::q8_0, DType::q8_1, DType::q8_k}) {
    const std::string stem = "act." + fixture_type(type);
    const auto bytes = quant_bytes(stem + ".bin");
    EXPECT_TRUE(encoded(type, values) == bytes) << stem;
    EXPECT_EQ(bits_that_differ(decoded(type, bytes), quant_fixture<float>(stem + ".deq.f32")), 0u);
  }
}

// The dots of the manifest, in double, between decoded weights and decoded activations.
TEST(Formats, dot_products_equal_the_manifest) {
  const auto text = quant_bytes("manifest.json");
  const auto manifest =
      parse_json({reinterpret_cast<const char*>(text.data()), text.size()}, uint64_t{1} << 20);
  ASSERT_TRUE(manifest.has_value()) << manifest.error().message;
  const struct {
    const char* key;
    std::vector<float> numbers;
  } activations[] = {
      {"dot_f32", quant_fixture<float>("act.f32")},
      {"dot_q8_0", decoded(DType::q8_0, quant_bytes("act.q8_0.bin"))},
      {"dot_q8_1", decoded(DType::q8_1, quant_bytes("act.q8_1.bin"))},
      {"dot_q8_K", decoded(DType::q8_k, quant_bytes("act.q8_K.bin"))},
  };
  int compared = 0;
  for (const DType type : kFixtureTypes)
    for (const char* source : kSources) {
      const Json row = manifest->find("types")->find(fixture_type(type));
      ASSERT_TRUE(row) << dtype_name(type);
      const Json entry = *row->find("cases")->find(source);
      const auto weights = decoded(type, quant_bytes(fixture_type(type) + "." + source + ".bin"));
      for (const auto& activation : activations) {
        const Json::Array dots = *entry.find(activation.key)->array();
        ASSERT_EQ(dots.size(), 8u);
        for (size_t i = 0; i < dots.size(); ++i) {
          double expected = 0;
          ASSERT_TRUE(dots[i].number(expected));
          double dot = 0;
          double magnitude = 0;
          for (size_t c = 0; c < 256; ++c) {
            const double term = static_cast<double>(weights[i * 256 + c]) *
                                static_cast<double>(activation.numbers[c]);
            dot += term;
            magnitude += std::fabs(term);
          }
          // 256 additions in double, in another order than the manifest's.
          EXPECT_LE(std::fabs(dot - expected), 256 * 2.3e-16 * magnitude)
              << dtype_name(type) << " " << source << " " << activation.key << " row " << i;
          ++compared;
        }
      }
    }
  EXPECT_EQ(compared, 17 * 2 * 4 * 8);
}

TEST(Formats, every_type_is_decoded_or_refused_by_name) {
  int refused = 0;
  for (int i = 0; i < kDTypes; ++i) {
    const auto type = static_cast<DType>(i);
    const std::vector<std::byte> blocks(bytes_of(type));
    std::vector<float> out(elements_of(type));
    const Status status = decode(type, blocks, out);
    EXPECT_EQ(status.has_value(), decodable(type));
    if (status) continue;
    ++refused;
    EXPECT_EQ(status.error().code, Code::unsupported);
    EXPECT_NE(status.error().message.find(dtype_name(type)), std::string::npos);
  }
  EXPECT_EQ(refused, static_cast<int>(std::size(kRefused)));
  for (const DType type : kRefused) EXPECT_FALSE(decodable(type) || encodable(type));
  for (const DType type : kWritten) EXPECT_TRUE(encodable(type));
  for (const DType type : kSearched) EXPECT_TRUE(encodable(type));
  for (const DType type : {DType::int8, DType::nf4}) EXPECT_TRUE(encodable(type));
  EXPECT_FALSE(encodable(DType::mxfp4));
  const Status status = encode(DType::mxfp4, std::vector<float>(32), {});
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().message, "type MXFP4 cannot be written");
}

// One, two and seven blocks at odd addresses: each block's numbers are those of the block alone,
// and nothing beside them is written.
TEST(Formats, blocks_are_independent_and_nothing_around_the_output_is_touched) {
  constexpr float kCanary = 12345.5f;
  for (int i = 0; i < kDTypes; ++i) {
    const auto type = static_cast<DType>(i);
    if (!decodable(type)) continue;
    const auto blocks = test::random_blocks(type, 7, 31u + static_cast<uint64_t>(i));
    const size_t elements = elements_of(type);
    std::vector<float> one_by_one;
    for (size_t block = 0; block < 7; ++block) {
      const auto part =
          decoded(type, std::span(blocks).subspan(block * bytes_of(type), bytes_of(type)));
      one_by_one.insert(one_by_one.end(), part.begin(), part.end());
    }
    for (const size_t count : {size_t{0}, size_t{1}, size_t{2}, size_t{7}})
      for (const size_t shift : {size_t{0}, size_t{1}, size_t{3}}) {
        std::vector<std::byte> moved(shift + count * bytes_of(type));
        std::copy_n(blocks.begin(), count * bytes_of(type),
                    moved.begin() + static_cast<long>(shift));
        std::vector<float> out(count * elements + 2, kCanary);
        ASSERT_TRUE(decode(type, std::span<const std::byte>(moved).subspan(shift),
                           std::span(out).subspan(1, count * elements))
                        .has_value());
        EXPECT_EQ(out.front(), kCanary);
        EXPECT_EQ(out.back(), kCanary);
        EXPECT_EQ(bits_that_differ(std::span(out).subspan(1, count * elements),
                                   std::span(one_by_one).first(count * elements)),
                  0u)
            << dtype_name(type);
      }
  }
}

TEST(Formats, a_size_that_is_not_whole_blocks_is_an_argument_error) {
  for (int i = 0; i < kDTypes; ++i) {
    const auto type = static_cast<DType>(i);
    if (!decodable(type)) continue;
    std::vector<std::byte> blocks(2 * bytes_of(type));
    std::vector<float> numbers(2 * elements_of(type));
    const auto bytes = std::span(blocks);
    const auto floats = std::span(numbers);
    std::vector<Status> all = {decode(type, bytes, floats.first(elements_of(type))),
                               decode(type, bytes.first(bytes_of(type)), floats),
                               decode(type, bytes, floats.first(2 * elements_of(type) - 1))};
    if (bytes_of(type) > 1)
      all.push_back(decode(type, bytes.first(2 * bytes_of(type) - 1), floats));
    if (encodable(type)) {
      all.push_back(encode(type, floats, bytes.first(bytes_of(type))));
      all.push_back(encode(type, floats.first(elements_of(type)), bytes));
    }
    for (const Status& status : all) {
      ASSERT_FALSE(status.has_value()) << dtype_name(type);
      EXPECT_EQ(status.error().code, Code::argument);
    }
  }
}

TEST(Formats, a_half_scale_that_is_not_finite_is_corrupt) {
  int cases = 0;
  for (int i = 0; i < kDTypes; ++i) {
    const auto type = static_cast<DType>(i);
    for (const int offset : test::half_scale_offsets(type))
      for (const int bits : {0x7c00, 0xfc00, 0x7e00, 0x7c01, 0xffff}) {
        const auto scale = static_cast<uint16_t>(bits);
        auto blocks = test::random_blocks(type, 3, 5);
        std::memcpy(blocks.data() + bytes_of(type) + offset, &scale, sizeof(scale));
        std::vector<float> out(3 * elements_of(type));
        const Status status = decode(type, blocks, out);
        ASSERT_FALSE(status.has_value()) << dtype_name(type);
        EXPECT_EQ(status.error().code, Code::corrupt);
        EXPECT_NE(status.error().message.find("block 1 "), std::string::npos);
        ++cases;
      }
  }
  EXPECT_EQ(cases, 22 * 5);  // fifteen types, seven of them with a second half
}

TEST(Formats, other_scales_beyond_f32_are_corrupt) {
  std::vector<std::byte> block(bytes_of(DType::mxfp4), std::byte{0x22});
  std::vector<float> out(256);
  const auto mxfp4 = [&](int exponent) {
    block[0] = static_cast<std::byte>(exponent);
    return decode(DType::mxfp4, block, std::span(out).first(32));
  };
  EXPECT_FALSE(mxfp4(255).has_value());
  ASSERT_TRUE(mxfp4(254).has_value());
  EXPECT_EQ(out[0], 0x1p127f);
  ASSERT_TRUE(mxfp4(0).has_value());
  EXPECT_EQ(out[0], 0x1p-127f);
  block[5] = std::byte{0x07};  // 12 * 2^126
  EXPECT_FALSE(mxfp4(254).has_value());

  auto activation = test::random_blocks(DType::q8_k, 1, 3);
  for (const float scale :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 3e38f}) {
    std::memcpy(activation.data(), &scale, sizeof(scale));
    EXPECT_FALSE(decode(DType::q8_k, activation, out).has_value());
  }
}

TEST(Formats, infinities_and_nans_of_plain_types_are_numbers) {
  const uint16_t halves[] = {0x7c00, 0xfc00, 0x7e00};
  const uint16_t brains[] = {0x7f80, 0xff80, 0x7fc0};
  for (const auto& [type, bits] :
       {std::pair(DType::f16, std::span(halves)), std::pair(DType::bf16, std::span(brains))}) {
    const auto out = decoded(type, std::as_bytes(bits));
    EXPECT_EQ(out[0], std::numeric_limits<float>::infinity());
    EXPECT_EQ(out[1], -std::numeric_limits<float>::infinity());
    EXPECT_TRUE(std::isnan(out[2]));
    EXPECT_TRUE(encoded(type, out) ==
                std::vector<std::byte>(std::as_bytes(bits).begin(), std::as_bytes(bits).end()));
  }
}

TEST(Formats, integers_and_doubles_round_to_the_nearest_float) {
  const auto check = [](DType type, auto value, float expected) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    EXPECT_EQ(decoded(type, bytes)[0], expected) << dtype_name(type);
  };
  check(DType::f64, 0.1, 0.1f);
  check(DType::f64, 1.0 + 0x1p-24, 1.0f);
  check(DType::i64, int64_t{16777217}, 16777216.0f);
  check(DType::i64, std::numeric_limits<int64_t>::min(), -0x1p63f);
  check(DType::i32, int32_t{-2147483647}, -0x1p31f);
  check(DType::i16, int16_t{-32768}, -32768.0f);
  check(DType::i8, int8_t{-128}, -128.0f);
  check(DType::u8, uint8_t{255}, 255.0f);
  check(DType::boolean, uint8_t{0}, 0.0f);
  check(DType::boolean, uint8_t{7}, 1.0f);
}

// Any finite block whose scale has a half is written and read back within the format's step.
TEST(Formats, what_is_written_reads_back_within_half_a_step) {
  struct Step {
    DType type;
    double levels;  // steps between the smallest and the largest code, over twice the magnitude
  };
  std::mt19937_64 random(11);
  std::normal_distribution<float> normal;
  for (const Step& step : {Step{DType::q4_0, 16}, Step{DType::q5_0, 32}, Step{DType::q8_0, 254},
                           Step{DType::q8_1, 254}, Step{DType::q8_k, 254}}) {
    for (int round = 0; round < 200; ++round) {
      std::vector<float> values(elements_of(step.type));
      const float scale = std::ldexp(1.0f, static_cast<int>(random() % 20) - 10);
      double largest = 0;
      for (float& value : values) {
        value = normal(random) * scale;
        largest = std::max(largest, std::fabs(static_cast<double>(value)));
      }
      const auto back = decoded(step.type, encoded(step.type, values));
      // One whole step at the side with one code fewer, half a step elsewhere; the rounding of the
      // scale to half (2^-11, and 2^-25 when subnormal) acts on the whole code.
      const double bound = largest * (2.01 / step.levels + 0x1p-11) + step.levels * 0x1p-25;
      for (size_t i = 0; i < values.size(); ++i)
        ASSERT_LE(std::fabs(static_cast<double>(back[i]) - static_cast<double>(values[i])), bound)
            << dtype_name(step.type);
    }
  }
}

TEST(Formats, numbers_without_a_finite_scale_are_refused_by_block_writers) {
  for (const DType type : block_writers()) {
    std::vector<std::byte> out(2 * bytes_of(type));
    for (const float bad : {std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN(), 3e38f, -3e38f}) {
      if (type == DType::q8_k && std::isfinite(bad)) continue;  // its scale is an f32
      std::vector<float> values(2 * elements_of(type), 1.0f);
      values[elements_of(type) + 3] = bad;
      const Status status = encode(type, values, out);
      ASSERT_FALSE(status.has_value()) << dtype_name(type) << " " << bad;
      EXPECT_EQ(status.error().code, std::isfinite(bad) ? Code::argument : Code::corrupt);
      EXPECT_NE(status.error().message.find("block 1 "), std::string::npos);
    }
  }
}

// A finite number never becomes an infinite one: the last that is rounded down is written, the next
// refused, by every type that is narrower than what it is given.
TEST(Formats, a_number_that_a_narrower_type_cannot_hold_is_refused) {
  const struct {
    DType type;
    float most;
  } rows[] = {{DType::f16, std::nextafterf(65520.0f, 0)},
              {DType::bf16, std::nextafterf(0x1.ffp127f, 0)}};
  for (const auto& row : rows) {
    for (const float sign : {1.0f, -1.0f}) {
      const float beyond = std::nextafterf(row.most, std::numeric_limits<float>::infinity());
      std::vector<std::byte> out(2 * bytes_of(row.type));
      EXPECT_TRUE(encode(row.type, std::vector<float>{1, sign * row.most}, out));
      EXPECT_TRUE(std::isfinite(decoded(row.type, out)[1]));
      const Status status = encode(row.type, std::vector<float>{1, sign * beyond}, out);
      ASSERT_FALSE(status) << dtype_name(row.type);
      EXPECT_EQ(status.error().code, Code::argument);
      EXPECT_NE(status.error().message.find("number 1 "), std::string::npos);
    }
    // What was none stays none.
    std::vector<std::byte> out(bytes_of(row.type));
    ASSERT_TRUE(encode(row.type, std::vector<float>{std::numeric_limits<float>::infinity()}, out));
    EXPECT_TRUE(std::isinf(decoded(row.type, out)[0]));
  }
  const double most = std::nextafter(0x1.ffffffp127, 0), beyond = 0x1.ffffffp127;
  std::vector<float> out(1);
  for (const double sign : {1.0, -1.0}) {
    const double good = sign * most, bad = sign * beyond;
    ASSERT_TRUE(decode(DType::f64, std::as_bytes(std::span(&good, 1)), out));
    EXPECT_EQ(out[0], static_cast<float>(sign) * std::numeric_limits<float>::max());
    const Status status = decode(DType::f64, std::as_bytes(std::span(&bad, 1)), out);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::unsupported);
  }
}

// Scales whose inverse overflows f32, and the zero block.
TEST(Formats, the_tiniest_numbers_are_written_as_blocks_that_read_back_tiny) {
  for (const DType type : block_writers()) {
    for (const float tiny : {0.0f, -0.0f, 1e-45f, -1e-44f, 1e-40f, 3e-39f, 1e-37f}) {
      std::vector<float> values(elements_of(type), tiny);
      values[1] = -tiny / 2;
      for (const float value : decoded(type, encoded(type, values)))
        ASSERT_LE(std::fabs(value), 2 * std::fabs(tiny)) << dtype_name(type) << " " << tiny;
    }
  }
}

}  // namespace
}  // namespace skein::quant
