// The passes over a row of logits are one text compiled several times: their results may not tell
// which of them ran.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "run/sampler_math.h"

namespace skein::sampling {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> row_of(size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> logit(0, 4);
  std::vector<float> out(size);
  for (float& value : out) value = random() % 16 == 0 ? kMinusInfinity : logit(random);
  return out;
}

constexpr size_t kSizes[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 63, 64, 511, 512};

TEST(Passes, weights_and_places_have_the_same_bits_in_vectors_of_any_width) {
  for (const size_t size : kSizes) {
    const auto row = row_of(size, static_cast<uint32_t>(size));
    const Extremes range = all_passes().back().extremes(row);
    if (range.largest == kMinusInfinity) continue;
    const double height = std::max(1.0, static_cast<double>(range.largest - range.smallest) / 2);
    const Division division{range.largest, height, 1023 / height, 0.03};

    std::vector<double> weights(size), factors(size);
    std::vector<int32_t> buckets(size);
    all_passes().back().weigh(row, range.largest, 0.7, weights.data());
    all_passes().back().place(row, division, buckets.data(), factors.data());
    for (size_t i = 0; i < size; ++i) {
      const double exact = std::exp((static_cast<double>(row[i]) - range.largest) * 0.7);
      EXPECT_NEAR(weights[i], exact, 1e-12 * exact);
      EXPECT_EQ(buckets[i], division.bucket(row[i]));
      EXPECT_EQ(factors[i] == 0, row[i] == kMinusInfinity);
    }
    for (const Passes& passes : all_passes()) {
      SCOPED_TRACE(testing::Message() << passes.vectors << ", " << size);
      std::vector<double> got(size);
      std::vector<int32_t> places(size);
      passes.weigh(row, range.largest, 0.7, got.data());
      EXPECT_EQ(std::memcmp(got.data(), weights.data(), size * sizeof(double)), 0);
      passes.place(row, division, places.data(), got.data());
      EXPECT_EQ(places, buckets);
      EXPECT_EQ(std::memcmp(got.data(), factors.data(), size * sizeof(double)), 0);
    }
  }
}

TEST(Passes, extremes_are_found_wherever_they_stand) {
  for (const Passes& passes : all_passes())
    for (const size_t size : kSizes)
      for (size_t at = 0; at < size; ++at) {
        std::vector<float> row(size, 0.5f);
        row[at] = -2;
        row[size - 1 - at] = size == 1 ? -2 : 3;
        if (size > 2) row[(at + 1) % size == size - 1 - at ? at : (at + 1) % size] = kMinusInfinity;
        float largest = kMinusInfinity, smallest = kInfinity;
        for (const float value : row) {
          largest = std::max(largest, value);
          if (value > kMinusInfinity) smallest = std::min(smallest, value);
        }
        const Extremes range = passes.extremes(row);
        ASSERT_EQ(range.largest, largest) << passes.vectors << " " << size << " " << at;
        ASSERT_EQ(range.smallest, smallest) << passes.vectors << " " << size << " " << at;
      }
}

TEST(Passes, what_is_no_logit_is_found_wherever_it_stands) {
  for (const Passes& passes : all_passes())
    for (const size_t size : kSizes) {
      std::vector<float> row(size, kMinusInfinity);
      EXPECT_FALSE(passes.has_nan_or_plus_infinity(row));
      for (size_t at = 0; at < size; ++at)
        for (const float bad : {kInfinity, std::nanf(""), -std::nanf("")}) {
          row[at] = bad;
          EXPECT_TRUE(passes.has_nan_or_plus_infinity(row)) << passes.vectors << " " << at;
          row[at] = -std::numeric_limits<float>::max();
          EXPECT_FALSE(passes.has_nan_or_plus_infinity(row)) << passes.vectors << " " << at;
        }
    }
}

TEST(Passes, a_value_between_two_is_found_wherever_it_stands) {
  for (const Passes& passes : all_passes())
    for (const size_t size : kSizes) {
      std::vector<float> row(size, 1);
      for (size_t at = 0; at < size; ++at) {
        EXPECT_FALSE(passes.any_between(row, 2, 3));
        for (const float inside : {2.0f, 2.5f, 3.0f}) {
          row[at] = inside;
          EXPECT_TRUE(passes.any_between(row, 2, 3)) << passes.vectors << " " << at;
        }
        row[at] = 4;
      }
    }
}

}  // namespace
}  // namespace skein::sampling
