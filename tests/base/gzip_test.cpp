#include "base/gzip.h"

#include <gtest/gtest.h>

#include <array>
#include <string_view>
#include <vector>

namespace skein::test {
namespace {

constexpr std::array<unsigned char, 35> kPacked = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb, 0x48,
    0xcd, 0xc9, 0xc9, 0x57, 0x28, 0xcf, 0x2f, 0xca, 0x49, 0x51, 0xc8, 0x40,
    0xb0, 0xb9, 0x00, 0x79, 0x0d, 0x36, 0x83, 0x18, 0x00, 0x00, 0x00};
constexpr std::string_view kText = "hello world hello world\n";

std::vector<std::byte> packed() {
  const auto bytes = std::as_bytes(std::span(kPacked));
  return {bytes.begin(), bytes.end()};
}

TEST(Gzip, what_was_compressed_comes_back) {
  EXPECT_EQ(gunzip(packed(), kText.size()).value(), kText);
}

TEST(Gzip, cut_anywhere_or_changed_anywhere_is_corrupt) {
  const auto bytes = packed();
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto out = gunzip(std::span(bytes).first(size), 1000);
    ASSERT_FALSE(out) << size;
    EXPECT_EQ(out.error().code, Code::corrupt);
  }
  for (size_t at = 10; at < bytes.size(); ++at) {  // the head's date and system may be any
    auto other = bytes;
    other[at] ^= std::byte{0x10};
    EXPECT_FALSE(gunzip(other, 1000)) << at;
  }
}

TEST(Gzip, more_than_is_allowed_or_expected_is_refused) {
  EXPECT_FALSE(gunzip(packed(), kText.size() - 1));
  auto longer = packed();
  longer.push_back(std::byte{0});
  EXPECT_FALSE(gunzip(longer, 1000));
}

}  // namespace
}  // namespace skein::test
