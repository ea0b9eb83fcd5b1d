#include "quant/panels.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>

#include "base/check.h"
#include "quant/blocks32/bits.h"
#include "quant/iq/bits.h"
#include "quant/k/bits.h"
#include "quant/plain/bits.h"

namespace skein::quant {
namespace {

// What a block's levels, times a group's multipliers, are multiplied by, and what is added.
struct BlockScale {
  uint16_t scale;  // halves
  uint16_t offset;
};
struct Multipliers {
  int scale;
  int offset;
};

constexpr uint16_t kSign = 0x8000;

template <typename Block>
BlockScale scale_of(const Block& block) {
  if constexpr (requires { block.m; }) return {block.d, block.m};
  // A min is subtracted.
  if constexpr (requires { block.dmin; })
    return {block.d, static_cast<uint16_t>(block.dmin ^ kSign)};
  return {block.d, 0};
}
template <typename Block>
void put_scale(const BlockScale& scale, Block& block) {
  block.d = scale.scale;
  if constexpr (requires { block.m; }) block.m = scale.offset;
  if constexpr (requires { block.dmin; }) block.dmin = static_cast<uint16_t>(scale.offset ^ kSign);
}

Multipliers multipliers_of(const BlockQ2_K& block, int group) {
  return {block.scales[group] & 15, block.scales[group] >> 4};
}
Multipliers multipliers_of(const BlockQ3_K& block, int group) {
  return {q3_k_scale(block.scales, group), 0};
}
Multipliers multipliers_of(const BlockQ4_K& block, int group) {
  return {q4_k_scale(block.scales, group), q4_k_min(block.scales, group)};
}
Multipliers multipliers_of(const BlockQ5_K& block, int group) {
  return {q4_k_scale(block.scales, group), q4_k_min(block.scales, group)};
}
Multipliers multipliers_of(const BlockQ6_K& block, int group) { return {block.scales[group], 0}; }
Multipliers multipliers_of(const BlockIQ4_XS& block, int group) {
  return {iq4_xs_scale(block, group), 0};
}

void put_multipliers(BlockQ2_K& block, int group, Multipliers m) {
  block.scales[group] = static_cast<uint8_t>((m.scale & 15) | m.offset << 4);
}
void put_multipliers(BlockQ3_K& block, int group, Multipliers m) {
  put_q3_k_scale(block.scales, group, m.scale);
}
void put_multipliers(BlockQ4_K& block, int group, Multipliers m) {
  put_q4_k_scale(block.scales, group, m.scale);
  put_q4_k_min(block.scales, group, m.offset);
}
void put_multipliers(BlockQ5_K& block, int group, Multipliers m) {
  put_q4_k_scale(block.scales, group, m.scale);
  put_q4_k_min(block.scales, group, m.offset);
}
void put_multipliers(BlockQ6_K& block, int group, Multipliers m) {
  block.scales[group] = static_cast<int8_t>(m.scale);
}
void put_multipliers(BlockIQ4_XS& block, int group, Multipliers m) {
  put_iq4_xs_scale(block, group, m.scale);
}

// The planes of one panel.
template <typename Byte>
struct PlanesOf {
  PlanesOf(const CodePanels& shape, int64_t width, Byte* panel)
      : codes(panel),
        scales(panel + shape.scales_at(width)),
        offsets(panel + shape.offsets_at(width)),
        multipliers(panel + shape.multipliers_at(width)),
        offset_multipliers(panel + shape.offset_multipliers_at(width)) {}

  Byte* end(const CodePanels& shape, int64_t width) const {
    return shape.shifted ? offset_multipliers + shape.multipliers_bytes(width) : offset_multipliers;
  }

  Byte* codes;
  Byte* scales;
  Byte* offsets;
  Byte* multipliers;
  Byte* offset_multipliers;
};
using Planes = PlanesOf<std::byte>;
using ConstPlanes = PlanesOf<const std::byte>;

// A row's unsigned codes from input `first` on, four inputs in 32 bits.
void put_lane(const CodePanels& shape, const uint8_t* from, int count, int64_t first, int64_t lane,
              std::byte* codes) {
  std::byte* at = codes + first * kPanelRows * shape.bits / 8 + lane * 4;
  if (shape.bits == 8) {
    for (int k = 0; k < count; k += 4, at += 64) std::memcpy(at, from + k, 4);
    return;
  }
  for (int k = 0; k < count; k += 8, at += 64) {
    uint32_t low = 0, high = 0;
    std::memcpy(&low, from + k, 4);
    std::memcpy(&high, from + k + 4, 4);
    low |= high << 4;
    std::memcpy(at, &low, 4);
  }
}

void take_lane(const CodePanels& shape, const std::byte* codes, int64_t first, int64_t lane,
               int count, uint8_t* out) {
  const std::byte* at = codes + first * kPanelRows * shape.bits / 8 + lane * 4;
  if (shape.bits == 8) {
    for (int k = 0; k < count; k += 4, at += 64) std::memcpy(out + k, at, 4);
    return;
  }
  for (int k = 0; k < count; k += 8, at += 64) {
    uint32_t both = 0;
    std::memcpy(&both, at, 4);
    const uint32_t low = both & 0x0f0f0f0f, high = both >> 4 & 0x0f0f0f0f;
    std::memcpy(out + k, &low, 4);
    std::memcpy(out + k + 4, &high, 4);
  }
}

// Puts block `b` of a row at its lane.
template <typename Block, int kElements>
bool put_block(const Block& block, int64_t b, const CodePanels& shape, int add, int64_t lane,
               const Planes& out) {
  const BlockScale scale = scale_of(block);
  if (!f16_is_finite(scale.scale) || !f16_is_finite(scale.offset)) return false;
  std::memcpy(out.scales + (b * kPanelRows + lane) * 2, &scale.scale, 2);
  if (shape.shifted) std::memcpy(out.offsets + (b * kPanelRows + lane) * 2, &scale.offset, 2);
  int8_t codes[kElements];
  codes_of(block, codes);
  uint8_t added[kElements];
  for (int k = 0; k < kElements; ++k) added[k] = static_cast<uint8_t>(codes[k] + add);
  put_lane(shape, added, kElements, b * kElements, lane, out.codes);
  if constexpr (requires { multipliers_of(block, 0); }) {
    const int groups = kElements / shape.group;
    for (int g = 0; g < groups; ++g) {
      const Multipliers multipliers = multipliers_of(block, g);
      const int64_t at = (b * groups + g) * kPanelRows + lane;
      out.multipliers[at] = static_cast<std::byte>(multipliers.scale);
      if (shape.shifted) out.offset_multipliers[at] = static_cast<std::byte>(multipliers.offset);
    }
  }
  return true;
}

// The opposite. A panel from a hostile file can hold codes and multipliers that no block has room
// for: false if the block does not say the same.
template <typename Block, int kElements>
bool take_block(const ConstPlanes& from, int64_t b, const CodePanels& shape, int add, int64_t lane,
                Block& block) {
  BlockScale scale{};
  std::memcpy(&scale.scale, from.scales + (b * kPanelRows + lane) * 2, 2);
  if (shape.shifted) std::memcpy(&scale.offset, from.offsets + (b * kPanelRows + lane) * 2, 2);
  put_scale(scale, block);
  uint8_t codes[kElements];
  take_lane(shape, from.codes, b * kElements, lane, kElements, codes);
  int8_t taken[kElements], kept[kElements];
  for (int k = 0; k < kElements; ++k) taken[k] = static_cast<int8_t>(codes[k] - add);
  put_codes(taken, block);
  codes_of(block, kept);
  bool same = std::memcmp(taken, kept, kElements) == 0;
  if constexpr (requires { multipliers_of(block, 0); }) {
    const int groups = kElements / shape.group;
    for (int g = 0; g < groups; ++g) {
      const int64_t at = (b * groups + g) * kPanelRows + lane;
      const Multipliers given = {
          static_cast<int8_t>(from.multipliers[at]),
          shape.shifted ? static_cast<int8_t>(from.offset_multipliers[at]) : 0};
      put_multipliers(block, g, given);
      const Multipliers held = multipliers_of(block, g);
      same = same && held.scale == given.scale && held.offset == given.offset;
    }
  }
  return same;
}

// Which bytes of a plane blocks have, from `low` on.
struct ByteRange {
  uint8_t low = 0;
  uint8_t count_less_one = 255;
};

// Those of a panel's planes of codes and multipliers, by what a block keeps of each byte.
struct ByteRanges {
  ByteRange codes, multipliers, offset_multipliers;
};

// Found by trying all, from `from` on: the bytes that a block keeps are neighbours, of codes as
// unsigned numbers, of multipliers as signed ones.
template <typename Keeps>
ByteRange range_of(int from, const Keeps& keeps) {
  int first = from, count = 0;
  for (int at = from; at < from + 256; ++at)
    if (keeps(static_cast<uint8_t>(at)) && count++ == 0) first = at;
  return {static_cast<uint8_t>(first), static_cast<uint8_t>(count - 1)};
}

template <typename Block, int kElements>
ByteRanges ranges_of(const CodePanels& shape, int add) {
  ByteRanges out;
  if (shape.bits == 8)
    out.codes = range_of(0, [&](uint8_t byte) {
      int8_t given[kElements] = {static_cast<int8_t>(byte - add)}, kept[kElements];
      Block block{};
      put_codes(given, block);
      codes_of(block, kept);
      return kept[0] == given[0];
    });
  else  // the highest of the sixteen that stays
    for (uint8_t code = 0; code < 16; ++code) {
      int8_t given[kElements] = {static_cast<int8_t>(code - add)}, kept[kElements];
      Block block{};
      put_codes(given, block);
      codes_of(block, kept);
      if (kept[0] == given[0]) out.codes.count_less_one = code;
    }
  if constexpr (requires(Block block) { multipliers_of(block, 0); }) {
    const auto keeps = [](Multipliers given, int Multipliers::*which) {
      Block block{};
      put_multipliers(block, 0, given);
      return multipliers_of(block, 0).*which == given.*which;
    };
    out.multipliers = range_of(-128, [&](uint8_t byte) {
      return keeps({static_cast<int8_t>(byte), 0}, &Multipliers::scale);
    });
    if (shape.shifted)
      out.offset_multipliers = range_of(-128, [&](uint8_t byte) {
        return keeps({0, static_cast<int8_t>(byte)}, &Multipliers::offset);
      });
  }
  return out;
}

// No way out of these loops, so that they become a vector's.
bool all_in(const ByteRange& range, const std::byte* bytes, int64_t count) {
  if (range.count_less_one == 255) return true;
  uint8_t highest = 0;  // above the lowest; of its width, so that a vector has as many as it can
  for (int64_t i = 0; i < count; ++i)
    highest = std::max(highest, static_cast<uint8_t>(static_cast<uint8_t>(bytes[i]) - range.low));
  return highest <= range.count_less_one;
}
bool all_nibbles_to(uint8_t highest, const std::byte* bytes, int64_t count) {
  if (highest == 15) return true;
  // The codes of a type with fewer bits end with a bit.
  const auto above = static_cast<uint8_t>((15 & ~highest) * 0x11);
  uint8_t all = 0;
  for (int64_t i = 0; i < count; ++i)
    all = static_cast<uint8_t>(all | static_cast<uint8_t>(bytes[i]));
  return (all & above) == 0;
}

template <typename Block, int kElements>
bool pack(const CodePanels& shape, int add, const std::byte* blocks, int64_t rows, int64_t width,
          std::byte* panel) {
  const int64_t count = width / kElements;
  if (rows < kPanelRows) std::memset(panel, 0, static_cast<size_t>(shape.panel_bytes(width)));
  const Planes planes(shape, width, panel);
  std::fill(planes.end(shape, width), panel + shape.panel_bytes(width), std::byte{0});
  for (int64_t b = 0; b < count; ++b) {
    for (int64_t lane = 0; lane < rows; ++lane) {
      Block block;
      std::memcpy(&block, blocks + (lane * count + b) * int64_t{sizeof(Block)}, sizeof(Block));
      if (!put_block<Block, kElements>(block, b, shape, add, lane, planes)) return false;
    }
  }
  return true;
}

template <typename Block, int kElements>
bool unpack(const CodePanels& shape, int add, const std::byte* panel, int64_t width, int64_t lane,
            int64_t first, int64_t count, std::byte* blocks) {
  const ConstPlanes planes(shape, width, panel);
  bool same = true;
  for (int64_t b = first; b < first + count; ++b, blocks += sizeof(Block)) {
    Block block{};
    same = take_block<Block, kElements>(planes, b, shape, add, lane, block) && same;
    std::memcpy(blocks, &block, sizeof(Block));
  }
  return same;
}

template <typename Block>
bool all_finite(const std::byte* blocks, int64_t count) {
  bool finite = true;
  for (int64_t i = 0; i < count; ++i) {
    Block block;
    std::memcpy(&block, blocks + i * int64_t{sizeof(Block)}, sizeof(Block));
    const BlockScale scale = scale_of(block);
    finite = finite && f16_is_finite(scale.scale) && f16_is_finite(scale.offset);
  }
  return finite;
}

struct Row {
  DType type;
  CodePanels shape;
  int add;  // to codes_of's numbers, to have unsigned codes
  bool (*pack)(const CodePanels&, int, const std::byte*, int64_t, int64_t, std::byte*);
  bool (*unpack)(const CodePanels&, int, const std::byte*, int64_t, int64_t, int64_t, int64_t,
                 std::byte*);
  bool (*finite)(const std::byte*, int64_t);
  ByteRanges (*ranges)(const CodePanels&, int);
};

template <typename Block, int kElements>
constexpr Row row(DType type, const CodePanels& shape, int add) {
  return {type,
          shape,
          add,
          pack<Block, kElements>,
          unpack<Block, kElements>,
          all_finite<Block>,
          ranges_of<Block, kElements>};
}

constexpr Row kRows[] = {
    row<BlockQ4_0, 32>(DType::q4_0, {4, 32, 32, false, 8}, 8),
    row<BlockQ4_1, 32>(DType::q4_1, {4, 32, 32, true, 0}, 0),
    row<BlockQ5_0, 32>(DType::q5_0, {8, 32, 32, false, 128}, 128),
    row<BlockQ5_1, 32>(DType::q5_1, {8, 32, 32, true, 128}, 128),
    row<BlockQ8_0, 32>(DType::q8_0, {8, 32, 32, false, 128}, 128),
    row<BlockIQ4_NL, 32>(DType::iq4_nl, {4, 32, 32, false, 128, kIq4Levels}, 0),
    row<BlockQ2_K, 256>(DType::q2_k, {4, 256, 16, true, 0}, 0),
    row<BlockQ3_K, 256>(DType::q3_k, {4, 256, 16, false, 4}, 4),
    row<BlockQ4_K, 256>(DType::q4_k, {4, 256, 32, true, 0}, 0),
    row<BlockQ5_K, 256>(DType::q5_k, {8, 256, 32, true, 128}, 128),
    row<BlockQ6_K, 256>(DType::q6_k, {8, 256, 16, false, 128}, 128),
    row<BlockIQ4_XS, 256>(DType::iq4_xs, {4, 256, 32, false, 128, kIq4Levels}, 0),
};

// Sixteen bytes of T.
template <typename T>
using Vector [[gnu::vector_size(16)]] = T;

// Numbers of two vectors by turns: the lower halves', then the upper halves'.
template <typename T>
void shuffle(Vector<T> a, Vector<T> b, Vector<T>& low, Vector<T>& high) {
  if constexpr (sizeof(T) == 2) {
    low = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
    high = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
  } else {
    low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  }
}

// A vector's columns of sixteen rows at a time. To shuffle two halves of an array rotates the bits
// of each number's place by one; four times, and the bits of the row are the lowest.
template <typename T>
void interleave(const std::byte* numbers, int64_t rows, int64_t width, std::byte* panel) {
  constexpr int64_t kColumns = 16 / sizeof(T);
  const int64_t row_bytes = width * int64_t{sizeof(T)};
  int64_t k = 0;
  for (; k + kColumns <= width; k += kColumns) {
    Vector<T> a[kPanelRows] = {}, b[kPanelRows];
    for (int64_t row = 0; row < rows; ++row)
      std::memcpy(&a[row], numbers + row * row_bytes + k * int64_t{sizeof(T)}, 16);
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 8; ++i) shuffle<T>(a[i], a[i + 8], b[2 * i], b[2 * i + 1]);
      for (int i = 0; i < 8; ++i) shuffle<T>(b[i], b[i + 8], a[2 * i], a[2 * i + 1]);
    }
    std::memcpy(panel + k * kPanelRows * int64_t{sizeof(T)}, a, sizeof(a));
  }
  for (; k < width; ++k) {
    T column[kPanelRows] = {};
    for (int64_t row = 0; row < rows; ++row)
      std::memcpy(&column[row], numbers + row * row_bytes + k * int64_t{sizeof(T)}, sizeof(T));
    std::memcpy(panel + k * kPanelRows * int64_t{sizeof(T)}, column, sizeof(column));
  }
}

const Row* row_of(DType type) {
  const Row* row = std::find_if(std::begin(kRows), std::end(kRows),
                                [type](const Row& each) { return each.type == type; });
  return row == std::end(kRows) ? nullptr : row;
}

}  // namespace

const CodePanels* code_panels(DType type) {
  const Row* row = row_of(type);
  return row ? &row->shape : nullptr;
}

bool pack_codes(DType type, const std::byte* blocks, int64_t rows, int64_t width,
                std::byte* panel) {
  const Row* row = row_of(type);
  SK_CHECK(row && rows <= kPanelRows && width % block_size(type).elements == 0);
  return row->pack(row->shape, row->add, blocks, rows, width, panel);
}

bool unpack_codes(DType type, const std::byte* panel, int64_t width, int64_t row, int64_t first,
                  int64_t count, std::byte* blocks) {
  const Row* found = row_of(type);
  const int64_t elements = block_size(type).elements;
  SK_CHECK(found && row >= 0 && row < kPanelRows && width % elements == 0 && first >= 0 &&
           count <= width / elements - first);
  return found->unpack(found->shape, found->add, panel, width, row, first, count, blocks);
}

bool blocks_are_finite(DType type, const std::byte* blocks, int64_t count) {
  const Row* row = row_of(type);
  SK_CHECK(row);
  return row->finite(blocks, count);
}

namespace {

bool halves_are_finite(const std::byte* halves, int64_t count) {
  int strange = 0;  // no way out of the loop, so that it becomes a vector's
  for (int64_t i = 0; i < count; ++i) {
    uint16_t half = 0;
    std::memcpy(&half, halves + i * 2, 2);
    strange |= f16_is_finite(half) ? 0 : 1;
  }
  return strange == 0;
}

// The same for some rows of a panel, by way of their blocks.
bool rows_are_valid(const Row& row, const std::byte* panel, int64_t rows, int64_t width) {
  std::byte block[sizeof(BlockQ6_K)];  // the largest
  const BlockSize size = block_size(row.type);
  SK_CHECK(size.bytes <= static_cast<int32_t>(sizeof(block)));
  for (int64_t lane = 0; lane < rows; ++lane)
    for (int64_t b = 0; b < width / size.elements; ++b)
      if (!row.unpack(row.shape, row.add, panel, width, lane, b, 1, block) || !row.finite(block, 1))
        return false;
  return true;
}

// Of each type with panels; made once, in their order.
const ByteRanges& ranges_of(const Row& row) {
  static const auto all = [] {
    std::array<ByteRanges, std::size(kRows)> out;
    std::transform(std::begin(kRows), std::end(kRows), out.begin(),
                   [](const Row& each) { return each.ranges(each.shape, each.add); });
    return out;
  }();
  return all[static_cast<size_t>(&row - kRows)];
}

}  // namespace

bool codes_are_valid(DType type, const std::byte* panel, int64_t rows, int64_t width) {
  const Row* row = row_of(type);
  SK_CHECK(row && width % block_size(type).elements == 0 && rows <= kPanelRows);
  if (rows < kPanelRows) return rows_are_valid(*row, panel, rows, width);
  const CodePanels& shape = row->shape;
  const ConstPlanes planes(shape, width, panel);
  const ByteRanges& ranges = ranges_of(*row);
  const int64_t codes = shape.codes_bytes(width), multipliers = shape.multipliers_bytes(width);
  return halves_are_finite(planes.scales, shape.scales_bytes(width) / 2) &&
         (!shape.shifted || halves_are_finite(planes.offsets, shape.scales_bytes(width) / 2)) &&
         (shape.bits == 8 ? all_in(ranges.codes, planes.codes, codes)
                          : all_nibbles_to(ranges.codes.count_less_one, planes.codes, codes)) &&
         all_in(ranges.multipliers, planes.multipliers, multipliers) &&
         (!shape.shifted ||
          all_in(ranges.offset_multipliers, planes.offset_multipliers, multipliers));
}

void pack_numbers(int64_t number_bytes, const std::byte* numbers, int64_t rows, int64_t width,
                  std::byte* panel) {
  SK_CHECK((number_bytes == 2 || number_bytes == 4) && rows <= kPanelRows);
  number_bytes == 2 ? interleave<uint16_t>(numbers, rows, width, panel)
                    : interleave<uint32_t>(numbers, rows, width, panel);
}

}  // namespace skein::quant
