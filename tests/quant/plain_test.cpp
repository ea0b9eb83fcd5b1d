#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "quant/plain/bits.h"

namespace skein::quant {
namespace {

bool is_nan(uint16_t half) { return (half & 0x7fff) > 0x7c00; }

// The definition of binary16, in double.
double half_value(uint16_t half) {
  const int exponent = (half >> 10) & 31;
  const int mantissa = half & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

TEST(F16, every_pattern_has_the_value_of_its_definition) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = f16_to_f32(half);
    if (is_nan(half)) {
      ASSERT_TRUE(std::isnan(value));
    } else if ((half & 0x7fff) == 0x7c00) {
      ASSERT_TRUE(std::isinf(value));
    } else {
      ASSERT_EQ(static_cast<double>(value), half_value(half)) << bits;
    }
    ASSERT_EQ(std::signbit(value), (half & 0x8000) != 0) << bits;
  }
}

TEST(F16, the_half_that_a_number_is_comes_without_rounding_and_others_have_none) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    if (is_nan(half)) continue;
    ASSERT_EQ(exact_f16(f16_to_f32(half)), half) << bits;
  }
  // Every exponent, with mantissas that do and do not fit.
  std::mt19937 random(9);
  int exact = 0;
  for (int i = 0; i < 2'000'000; ++i) {
    const auto shortened = static_cast<uint32_t>(random()) & (i % 2 ? 0xffffffffu : 0xffffe000u);
    const auto value = std::bit_cast<float>(i % 4 < 2 ? shortened : shortened & 0xff9fffffu);
    const auto same = [&](uint16_t half) {
      return std::bit_cast<uint32_t>(f16_to_f32(half)) == std::bit_cast<uint32_t>(value);
    };
    ASSERT_EQ(same(exact_f16(value)), same(f32_to_f16(value))) << value;
    exact += same(exact_f16(value));
  }
  EXPECT_GT(exact, 100'000);
}

TEST(F16, every_pattern_survives_the_round_trip) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const auto quiet = static_cast<uint16_t>(is_nan(half) ? half | 0x200 : half);
    ASSERT_EQ(f32_to_f16(f16_to_f32(half)), quiet) << bits;
  }
}

// Between two neighbouring halves: below the middle goes down, above it up, the middle to the even
// pattern. The step behind the largest half is infinity.
TEST(F16, rounding_is_to_nearest_and_ties_go_to_even) {
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const auto below = static_cast<uint16_t>(bits);
    const auto above = static_cast<uint16_t>(bits + 1);
    const double next = above == 0x7c00 ? 65536.0 : half_value(above);
    const auto middle = static_cast<float>((half_value(below) + next) / 2);
    const float infinity = std::numeric_limits<float>::infinity();
    const uint16_t even = bits % 2 == 0 ? below : above;
    ASSERT_EQ(f32_to_f16(middle), even) << bits;
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, 0.0f)), below) << bits;
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, infinity)), above) << bits;
    ASSERT_EQ(f32_to_f16(-middle), even | 0x8000) << bits;
  }
}

TEST(F16, what_is_beyond_its_range_becomes_infinity_or_zero) {
  EXPECT_EQ(f32_to_f16(65519.996f), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
  EXPECT_EQ(f32_to_f16(-1e30f), 0xfc00);
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::infinity()), 0x7c00);
  EXPECT_EQ(f32_to_f16(1e-30f), 0);
  EXPECT_EQ(f32_to_f16(-1e-45f), 0x8000);
  EXPECT_TRUE(is_nan(f32_to_f16(std::numeric_limits<float>::quiet_NaN())));
  EXPECT_TRUE(is_nan(f32_to_f16(std::bit_cast<float>(0x7f800001u))));  // payload in the lost bits
}

TEST(Bf16, every_pattern_survives_the_round_trip) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = bf16_to_f32(half);
    ASSERT_EQ(std::bit_cast<uint32_t>(value), bits << 16);
    const auto quiet = static_cast<uint16_t>((half & 0x7fff) > 0x7f80 ? half | 0x40 : half);
    ASSERT_EQ(f32_to_bf16(value), quiet) << bits;
  }
}

TEST(Bf16, rounding_is_to_nearest_and_ties_go_to_even) {
  for (uint32_t bits = 0; bits < 0x7f80; ++bits) {
    const uint32_t wide = bits << 16;
    ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(wide | 0x7fff)), bits);
    ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(wide | 0x8000)), bits + (bits & 1));
    ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(wide | 0x8001)), bits + 1);
  }
}

TEST(Bf16, a_nan_with_its_payload_in_the_lost_bits_stays_a_nan) {
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0xffffffffu)))));
}

}  // namespace
}  // namespace skein::quant
