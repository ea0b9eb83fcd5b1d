#include "quant/bytes.h"

#include <bit>
#include <cmath>
#include <filesystem>
#include <random>

#include "base/file.h"
#include "quant/blocks32/bits.h"
#include "quant/formats.h"
#include "quant/iq/bits.h"
#include "quant/k/bits.h"
#include "quant/plain/bits.h"
#include "quant/webrwkv/bits.h"
#include "support/fixtures.h"

namespace skein::test {
namespace {

// Where the half scales of a block stand, and -1 behind the last.
struct Scales {
  DType type;
  int offsets[3];
};
constexpr Scales kScales[] = {
    {DType::q4_0, {offsetof(quant::BlockQ4_0, d), -1, -1}},
    {DType::q4_1, {offsetof(quant::BlockQ4_1, d), offsetof(quant::BlockQ4_1, m), -1}},
    {DType::q5_0, {offsetof(quant::BlockQ5_0, d), -1, -1}},
    {DType::q5_1, {offsetof(quant::BlockQ5_1, d), offsetof(quant::BlockQ5_1, m), -1}},
    {DType::q8_0, {offsetof(quant::BlockQ8_0, d), -1, -1}},
    {DType::q8_1, {offsetof(quant::BlockQ8_1, d), offsetof(quant::BlockQ8_1, s), -1}},
    {DType::iq4_nl, {offsetof(quant::BlockIQ4_NL, d), -1, -1}},
    {DType::q2_k, {offsetof(quant::BlockQ2_K, d), offsetof(quant::BlockQ2_K, dmin), -1}},
    {DType::q3_k, {offsetof(quant::BlockQ3_K, d), -1, -1}},
    {DType::q4_k, {offsetof(quant::BlockQ4_K, d), offsetof(quant::BlockQ4_K, dmin), -1}},
    {DType::q5_k, {offsetof(quant::BlockQ5_K, d), offsetof(quant::BlockQ5_K, dmin), -1}},
    {DType::q6_k, {offsetof(quant::BlockQ6_K, d), -1, -1}},
    {DType::iq4_xs, {offsetof(quant::BlockIQ4_XS, d), -1, -1}},
    {DType::int8, {offsetof(quant::BlockINT8, min), offsetof(quant::BlockINT8, max), -1}},
    {DType::nf4, {offsetof(quant::BlockNF4, absmax), -1, -1}},
};

}  // namespace

std::vector<int> half_scale_offsets(DType type) {
  std::vector<int> out;
  for (const Scales& row : kScales)
    if (row.type == type)
      for (const int offset : row.offsets)
        if (offset >= 0) out.push_back(offset);
  return out;
}

std::vector<std::byte> quant_bytes(const std::string& name) {
  auto bytes = read_file(fixture("quant/" + name), 1 << 20);
  EXPECT_TRUE(bytes.has_value()) << name;
  return bytes ? *std::move(bytes) : std::vector<std::byte>{};
}

std::vector<float> quant_halves(const std::string& name) {
  std::vector<float> out;
  for (const uint16_t half : quant_fixture<uint16_t>(name)) out.push_back(quant::f16_to_f32(half));
  return out;
}

size_t bits_that_differ(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  size_t count = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    if (std::bit_cast<uint32_t>(a[i]) != std::bit_cast<uint32_t>(b[i])) ++count;
  return count;
}

int64_t ulps_apart(float a, float b) {
  const auto ordered = [](float x) {
    const auto bits = static_cast<int64_t>(std::bit_cast<uint32_t>(x));
    return bits < 0x80000000ll ? bits : 0x80000000ll - bits;
  };
  return std::abs(ordered(a) - ordered(b));
}

std::vector<float> round_trip(DType type, std::span<const float> values) {
  const BlockSize size = block_size(type);
  std::vector<std::byte> blocks(values.size() / static_cast<size_t>(size.elements) *
                                static_cast<size_t>(size.bytes));
  std::vector<float> out(values.size());
  Status status = quant::encode(type, values, blocks);
  EXPECT_TRUE(status.has_value()) << dtype_name(type) << ": " << status.error().message;
  status = quant::decode(type, blocks, out);
  EXPECT_TRUE(status.has_value()) << dtype_name(type) << ": " << status.error().message;
  return out;
}

double relative_error(std::span<const float> values, std::span<const float> read_back) {
  EXPECT_EQ(values.size(), read_back.size());
  double off = 0;
  double all = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double value = static_cast<double>(values[i]);
    off += std::pow(static_cast<double>(read_back[i]) - value, 2);
    all += value * value;
  }
  return all > 0 ? std::sqrt(off / all) : std::sqrt(off);
}

std::optional<double> reference_file_error(DType type, const std::string& source) {
  const std::string name = fixture_type(type) + "." + source + ".deq.f32";
  if (!std::filesystem::exists(fixture("quant/" + name))) return std::nullopt;
  return relative_error(quant_fixture<float>("src_" + source + ".f32"), quant_fixture<float>(name));
}

std::string fixture_type(DType type) {
  std::string name(dtype_name(type));
  for (char& c : name)
    if (c != 'K') c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

std::vector<std::byte> random_blocks(DType type, size_t count, uint64_t seed) {
  const auto size = static_cast<size_t>(block_size(type).bytes);
  std::mt19937_64 random(seed);
  std::vector<std::byte> out(count * size);
  for (std::byte& byte : out) byte = static_cast<std::byte>(random() & 0xff);
  for (size_t i = 0; i < count; ++i) {
    std::byte* block = out.data() + i * size;
    for (const int offset : half_scale_offsets(type)) {
      const float scale = static_cast<float>(static_cast<int>(random() % 2000) - 1000) / 4096.0f;
      const uint16_t half = quant::f32_to_f16(scale);
      std::memcpy(block + offset, &half, sizeof(half));
    }
    if (type == DType::mxfp4) block[0] = static_cast<std::byte>(100 + random() % 40);
    if (type == DType::q8_k || type == DType::f32) {
      const float number = static_cast<float>(random() % 1000) / 977.0f;
      std::memcpy(block, &number, sizeof(number));
    }
    if (type == DType::f64) {
      const double number = static_cast<double>(random() % 100000) / 977.0;
      std::memcpy(block, &number, sizeof(number));
    }
    if (type == DType::f16 || type == DType::bf16)
      block[1] &= std::byte{0xbf};  // exponent not full
  }
  return out;
}

}  // namespace skein::test
