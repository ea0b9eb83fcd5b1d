#include "quant/read.h"

#include <gtest/gtest.h>

#include <functional>
#include <numeric>
#include <random>

#include "quant/bytes.h"
#include "quant/formats.h"

namespace skein::quant {
namespace {

using test::bits_that_differ;

size_t elements_of(DType type) { return static_cast<size_t>(block_size(type).elements); }

struct Stored {
  std::vector<std::byte> bytes;  // one byte of slack in front, so that the storage is unaligned
  StoredTensor tensor;
  std::vector<float> numbers;  // all of the storage
};

// A storage of at least `elements` numbers as a flat tensor.
Stored make_storage(DType type, size_t elements, uint64_t seed) {
  Stored out;
  const size_t blocks = (elements + elements_of(type) - 1) / elements_of(type);
  out.bytes = test::random_blocks(type, blocks, seed);
  out.bytes.insert(out.bytes.begin(), std::byte{});
  out.tensor.name = "blocks.0.att.key.weight";
  out.tensor.dtype = type;
  out.tensor.storage = std::span<const std::byte>(out.bytes).subspan(1);
  const auto count = static_cast<int64_t>(blocks * elements_of(type));
  out.tensor.shape = {count};
  out.tensor.strides = {1};
  out.numbers.resize(static_cast<size_t>(count));
  EXPECT_TRUE(decode(type, out.tensor.storage, out.numbers).has_value());
  return out;
}

// The definition of a strided view, element by element.
std::vector<float> by_definition(const Stored& stored, const StoredTensor& view) {
  std::vector<float> out(static_cast<size_t>(view.shape.elements()));
  std::array<int64_t, Shape::kMaxAxes> index{};
  for (float& number : out) {
    int64_t at = view.offset;
    for (int axis = 0; axis < view.shape.rank(); ++axis)
      at += index[static_cast<size_t>(axis)] * view.strides[axis];
    number = stored.numbers[static_cast<size_t>(at)];
    for (int axis = view.shape.rank() - 1; axis >= 0; --axis) {
      if (++index[static_cast<size_t>(axis)] < view.shape[axis]) break;
      index[static_cast<size_t>(axis)] = 0;
    }
  }
  return out;
}

std::vector<float> read(const StoredTensor& view) {
  std::vector<float> out(static_cast<size_t>(view.shape.elements()) + 2, 7.75f);
  const Status status = read_f32(view, std::span(out).subspan(1, out.size() - 2));
  EXPECT_TRUE(status.has_value()) << status.error().message;
  EXPECT_EQ(out.front(), 7.75f);
  EXPECT_EQ(out.back(), 7.75f);
  return {out.begin() + 1, out.end() - 1};
}

StoredTensor view(const StoredTensor& base, const Shape& shape, const Shape& strides,
                  int64_t offset) {
  StoredTensor out = base;
  out.shape = shape;
  out.strides = strides;
  out.offset = offset;
  return out;
}

void every_decodable_type(const std::function<void(DType)>& check) {
  for (int i = 0; i < kDTypes; ++i)
    if (decodable(static_cast<DType>(i))) check(static_cast<DType>(i));
}

TEST(Read, named_views_equal_their_definition_for_every_type) {
  every_decodable_type([](DType type) {
    const Stored stored = make_storage(type, 24 * 768, 3);
    const StoredTensor& t = stored.tensor;
    const StoredTensor matrix = t.reshaped({24, 768});
    const StoredTensor views[] = {
        matrix,                                                   // contiguous
        matrix.transposed(),                                      // every block decoded once
        matrix.row(5),                                            // a slice of the first axis
        view(t, {24, 200}, {768, 1}, 100),                        // columns 100 .. 299
        view(t, {8, 256}, {3 * 768, 3}, 1),                       // steps in both axes
        view(t, {200, 24}, {1, 768}, 100),                        // transposed columns
        view(t, {4, 768, 6}, {6 * 768, 1, 768}, 0),               // a permutation of three axes
        view(t, {6, 4, 768}, {768, 6 * 768, 1}, 0),               // another
        view(t, {5, 24, 3}, {0, 768, 1}, 12),                     // a repeated axis
        view(t, {7, 5}, {0, 0}, 99),                              // one number, repeated
        view(t, {24, 768}, {-768, -1}, 24 * 768 - 1),             // backwards
        view(t, {1, 24, 1, 768, 1}, {0, 768, 5, 1, 1 << 20}, 0),  // steps of axes of one
        view(t, {}, {}, 1000),                                    // a scalar
        view(t, {3, 0, 2}, {1, 1, 1}, 0),                         // nothing
    };
    for (const StoredTensor& each : views)
      EXPECT_EQ(bits_that_differ(read(each), by_definition(stored, each)), 0u)
          << dtype_name(type) << " " << each.shape.text() << " strides " << each.strides.text();
  });
}

TEST(Read, random_views_equal_their_definition) {
  std::mt19937_64 random(17);
  for (const DType type : {DType::f32, DType::bf16, DType::u8, DType::q8_0, DType::q4_k}) {
    const Stored stored = make_storage(type, 4096, 8);
    for (int round = 0; round < 400; ++round) {
      StoredTensor t = stored.tensor;
      const int rank = 1 + static_cast<int>(random() % 4);
      Shape shape(std::vector<int64_t>(static_cast<size_t>(rank), 1));
      Shape strides = shape;
      int64_t lowest = 0;
      int64_t highest = 0;
      for (int axis = 0; axis < rank; ++axis) {
        shape[axis] = 1 + static_cast<int64_t>(random() % 9);
        const int64_t room = (4095 - (highest - lowest)) / std::max<int64_t>(1, shape[axis] - 1);
        strides[axis] = static_cast<int64_t>(random() % static_cast<uint64_t>(2 * room + 1)) - room;
        if (random() % 3 == 0) strides[axis] %= 4;
        const int64_t span = (shape[axis] - 1) * strides[axis];
        (span < 0 ? lowest : highest) += span;
      }
      const auto slack = static_cast<uint64_t>(4096 - (highest - lowest));
      t = view(t, shape, strides, -lowest + static_cast<int64_t>(random() % slack));
      ASSERT_EQ(bits_that_differ(read(t), by_definition(stored, t)), 0u)
          << dtype_name(type) << " " << shape.text() << " strides " << strides.text();
    }
  }
}

TEST(Read, rows_are_the_rows_of_the_whole) {
  every_decodable_type([](DType type) {
    const Stored stored = make_storage(type, 20 * 256, 4);
    const StoredTensor matrix = stored.tensor.reshaped({20, 256});
    for (const StoredTensor& each : {matrix, matrix.transposed()}) {
      const auto whole = read(each);
      const int64_t rows = each.shape[0];
      const int64_t columns = each.shape[1];
      for (const auto& [first, count] : {std::pair<int64_t, int64_t>{0, rows},
                                         {0, 1},
                                         {3, 7},
                                         {rows - 1, 1},
                                         {rows, 0},
                                         {5, 0}}) {
        std::vector<float> out(static_cast<size_t>(count * columns));
        ASSERT_TRUE(read_rows_f32(each, first, count, out).has_value());
        EXPECT_EQ(bits_that_differ(out, std::span(whole).subspan(
                                            static_cast<size_t>(first * columns), out.size())),
                  0u);
      }
    }
  });
}

TEST(Read, rows_do_not_touch_the_blocks_of_others) {
  Stored stored = make_storage(DType::q8_0, 8 * 64, 4);
  const uint16_t infinity = 0x7c00;
  std::memcpy(stored.bytes.data() + 1 + 2 * 3 * 34, &infinity, 2);  // the first block of row 3
  const StoredTensor matrix = stored.tensor.reshaped({8, 64});
  std::vector<float> out(4 * 64);
  EXPECT_TRUE(read_rows_f32(matrix, 4, 4, out).has_value());
  EXPECT_TRUE(read_rows_f32(matrix, 0, 3, std::span(out).first(3 * 64)).has_value());
  const Status status = read_rows_f32(matrix, 2, 2, std::span(out).first(2 * 64));
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().message,
            "tensor blocks.0.att.key.weight: block 6 of its Q8_0 data has a scale that is not "
            "finite");
}

TEST(Read, a_view_that_leaves_its_storage_is_corrupt) {
  const Stored stored = make_storage(DType::f16, 100, 4);
  const int64_t huge = int64_t{1} << 62;
  const StoredTensor views[] = {
      view(stored.tensor, {101}, {1}, 0),
      view(stored.tensor, {100}, {1}, 1),
      view(stored.tensor, {10}, {11}, 1),
      view(stored.tensor, {10}, {-1}, 8),
      view(stored.tensor, {1}, {1}, -1),
      view(stored.tensor, {1}, {1}, 100),
      view(stored.tensor, {2, 2}, {99, 99}, 0),
      view(stored.tensor, {4, 2}, {huge, 1}, 0),
      view(stored.tensor, {2, 2}, {huge, huge}, 0),
      view(stored.tensor, {2, 3}, {1}, 0),
  };
  for (const StoredTensor& each : views) {
    std::vector<float> out(static_cast<size_t>(each.shape.elements()));
    const Status status = read_f32(each, out);
    ASSERT_FALSE(status.has_value()) << each.shape.text() << " " << each.strides.text();
    EXPECT_EQ(status.error().code, Code::corrupt);
    EXPECT_NE(status.error().message.find("blocks.0.att.key.weight"), std::string::npos);
  }
  StoredTensor negative = view(stored.tensor, {-1, 4}, {1, 1}, 0);
  EXPECT_EQ(read_f32(negative, {}).error().code, Code::corrupt);
  StoredTensor overflow = view(stored.tensor, {huge, huge, 0}, {1, 1, 1}, 0);
  EXPECT_EQ(read_f32(overflow, {}).error().code, Code::corrupt);
  StoredTensor torn = stored.tensor;
  torn.storage = torn.storage.first(199);
  std::vector<float> out(100);
  EXPECT_EQ(read_f32(torn, out).error().code, Code::corrupt);
}

TEST(Read, wrong_sizes_rows_and_types_name_the_tensor) {
  const Stored stored = make_storage(DType::f32, 12, 4);
  const StoredTensor matrix = stored.tensor.reshaped({3, 4});
  std::vector<float> out(12);
  const auto floats = std::span(out);
  StoredTensor refused = matrix;
  refused.dtype = DType::iq2_xxs;
  const Status statuses[] = {
      read_f32(matrix, floats.first(11)),
      read_rows_f32(matrix, 0, 2, floats),
      read_rows_f32(matrix, 2, 2, floats),
      read_rows_f32(matrix, -1, 1, floats.first(4)),
      read_rows_f32(matrix, 4, 0, {}),
      read_rows_f32(matrix, 0, -1, {}),
      read_rows_f32(view(matrix, {}, {}, 0), 0, 1, floats.first(1)),
      read_f32(refused, floats),
  };
  for (const Status& status : statuses) {
    ASSERT_FALSE(status.has_value());
    EXPECT_NE(status.error().message.find("blocks.0.att.key.weight"), std::string::npos);
  }
  EXPECT_EQ(statuses[7].error().message,
            "tensor blocks.0.att.key.weight: type IQ2_XXS is recognised but cannot be decoded");
  EXPECT_EQ(statuses[7].error().code, Code::unsupported);
  for (const Status& status : std::span(statuses).first(7))
    EXPECT_EQ(status.error().code, Code::argument) << status.error().message;
}

}  // namespace
}  // namespace skein::quant
