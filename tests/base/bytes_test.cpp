#include <gtest/gtest.h>

#include <array>

#include "base/checked.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/reader.h"
#include "tensor/shape.h"
#include "tensor/stored.h"

namespace skein {
namespace {

TEST(Reader, reads_little_endian_and_stops_at_the_end) {
  const std::array<std::byte, 7> bytes = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4},
                                          std::byte{5}, std::byte{6}, std::byte{7}};
  Reader reader(bytes);
  EXPECT_EQ(reader.u16(), 0x0201);
  EXPECT_EQ(reader.u32(), 0x06050403u);
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.left(), 1u);
  EXPECT_EQ(reader.u16(), 0);
  EXPECT_FALSE(reader.ok());
}

TEST(Reader, stays_broken_after_the_first_bad_read) {
  const std::array<std::byte, 4> bytes = {};
  Reader reader(bytes);
  EXPECT_TRUE(reader.bytes(UINT64_MAX).empty());
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.u8(), 0);
  reader.seek(0);
  EXPECT_FALSE(reader.ok());
}

TEST(Checked, products_that_wrap_are_refused_even_beside_a_zero) {
  const int64_t wraps[] = {int64_t{1} << 32, int64_t{1} << 32, 0};
  EXPECT_FALSE(checked_product(wraps));
  const int64_t empty[] = {1000, 0, 7};
  EXPECT_EQ(checked_product(empty), 0u);
  const int64_t negative[] = {3, -1};
  EXPECT_FALSE(checked_product(negative));
  const int64_t fine[] = {3, 5};
  EXPECT_EQ(checked_product(fine), 15u);
  EXPECT_FALSE(checked_add(UINT64_MAX, 1));
  EXPECT_FALSE(checked_mul(UINT64_MAX, 2));
}

TEST(Hash, gives_the_published_digests) {
  EXPECT_EQ(hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256(std::as_bytes(std::span(std::string_view("abc"))))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(crc32(std::as_bytes(std::span(std::string_view("123456789")))), 0xcbf43926u);
}

TEST(Limits, every_row_of_the_table_says_what_it_bounds) {
  for (const limits::Limit& limit : limits::table()) {
    EXPECT_GT(limit.value, 0) << limit.name;
    EXPECT_GT(std::string_view(limit.what).size(), 5u) << limit.name;
  }
}

TEST(Shape, views_move_no_bytes) {
  StoredTensor tensor;
  tensor.shape = {2, 3, 4};
  tensor.strides = tensor.shape.contiguous_strides();
  EXPECT_TRUE(tensor.contiguous());
  const StoredTensor second = tensor.row(1);
  EXPECT_EQ(second.shape, (Shape{3, 4}));
  EXPECT_EQ(second.offset, 12);
  const StoredTensor swapped = second.transposed();
  EXPECT_EQ(swapped.shape, (Shape{4, 3}));
  EXPECT_EQ(swapped.strides, (Shape{1, 4}));
  EXPECT_EQ((Shape{1, 1, 5}).squeezed(), Shape{5});
  EXPECT_EQ((Shape{5, 1}).text(), "[5, 1]");
}

}  // namespace
}  // namespace skein
