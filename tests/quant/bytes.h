// What the tests of the formats share: fixture bytes and comparison by bits.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace skein::test {

// A file of tests/fixtures/quant as bytes, or as elements of T.
std::vector<std::byte> quant_bytes(const std::string& name);

template <typename T>
std::vector<T> quant_fixture(const std::string& name) {
  const auto bytes = quant_bytes(name);
  EXPECT_EQ(bytes.size() % sizeof(T), 0u) << name;
  std::vector<T> out(bytes.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size() * sizeof(T));
  return out;
}

// The halves of a fixture as f32.
std::vector<float> quant_halves(const std::string& name);

// How many numbers differ in any bit.
size_t bits_that_differ(std::span<const float> a, std::span<const float> b);

// Distance in units of the last place, for finite numbers.
int64_t ulps_apart(float a, float b);

// The numbers after writing them as `type` and reading that back.
std::vector<float> round_trip(DType type, std::span<const float> values);

// Rms of the difference over rms of `values`.
double relative_error(std::span<const float> values, std::span<const float> read_back);

// The error of the fixtures' file of that type and source ("gauss", "edge"), where there is one.
std::optional<double> reference_file_error(DType type, const std::string& source);

// "q4_0": as the fixtures write it.
std::string fixture_type(DType type);

// Where in a block of `type` its half scales stand; none for MXFP4 and Q8_K.
std::vector<int> half_scale_offsets(DType type);

// Blocks of random bits whose scales are small finite halves.
std::vector<std::byte> random_blocks(DType type, size_t count, uint64_t seed);

}  // namespace skein::test
