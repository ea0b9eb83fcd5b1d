#include "cpu/quant_panels.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "quant/blocks32/bits.h"
#include "quant/iq/bits.h"
#include "quant/k/bits.h"
#include "quant/plain/bits.h"

namespace skein::cpu {
namespace {

using namespace quant;  // the blocks, all of whose names start with Block

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

// The planes of one panel.
struct Planes {
  Planes(const CodePanels& shape, int64_t width, std::byte* panel)
      : codes(panel),
        scales(codes + shape.codes_bytes(width)),
        offsets(scales + shape.scales_bytes(width)),
        multipliers(shape.shifted ? offsets + shape.scales_bytes(width) : offsets),
        offset_multipliers(multipliers + shape.multipliers_bytes(width)) {}

  std::byte* codes;
  std::byte* scales;
  std::byte* offsets;
  std::byte* multipliers;
  std::byte* offset_multipliers;
};

// Inputs [first, ...) of a row's lane. `add`: to codes_of's numbers, to have unsigned codes.
void put_codes(const CodePanels& shape, int add, const int8_t* from, int count, int64_t first,
               int64_t lane, std::byte* codes) {
  for (int k = 0; k < count; ++k) {
    const int64_t input = first + k;
    const auto code = static_cast<std::byte>(from[k] + add);
    if (shape.bits == 8) {
      codes[input / 4 * 64 + lane * 4 + input % 4] = code;
    } else {
      codes[input / 8 * 64 + lane * 4 + input % 4] |= input % 8 < 4 ? code : code << 4;
    }
  }
}

// Puts block `b` of a row at its lane.
template <typename Block, int kElements>
bool put_block(const Block& block, int64_t b, const CodePanels& shape, int add, int64_t lane,
               const Planes& out) {
  const BlockScale scale = scale_of(block);
  if (!f16_is_finite(scale.scale) || !f16_is_finite(scale.offset)) return false;
  std::memcpy(out.scales + (b * kPanel + lane) * 2, &scale.scale, 2);
  if (shape.shifted) std::memcpy(out.offsets + (b * kPanel + lane) * 2, &scale.offset, 2);
  int8_t codes[kElements];
  codes_of(block, codes);
  put_codes(shape, add, codes, kElements, b * kElements, lane, out.codes);
  if constexpr (requires { multipliers_of(block, 0); }) {
    const int groups = kElements / shape.group;
    for (int g = 0; g < groups; ++g) {
      const Multipliers multipliers = multipliers_of(block, g);
      const int64_t at = (b * groups + g) * kPanel + lane;
      out.multipliers[at] = static_cast<std::byte>(multipliers.scale);
      if (shape.shifted) out.offset_multipliers[at] = static_cast<std::byte>(multipliers.offset);
    }
  }
  return true;
}

template <typename Block, int kElements>
bool pack(const CodePanels& shape, int add, const std::byte* blocks, int64_t rows, int64_t width,
          std::byte* panel) {
  const int64_t count = width / kElements;
  std::memset(panel, 0, static_cast<size_t>(shape.panel_bytes(width)));
  const Planes planes(shape, width, panel);
  for (int64_t lane = 0; lane < rows; ++lane) {
    for (int64_t b = 0; b < count; ++b) {
      Block block;
      std::memcpy(&block, blocks + (lane * count + b) * int64_t{sizeof(Block)}, sizeof(Block));
      if (!put_block<Block, kElements>(block, b, shape, add, lane, planes)) return false;
    }
  }
  return true;
}

struct Row {
  DType type;
  CodePanels shape;
  int add;  // to codes_of's numbers, to have unsigned codes
  bool (*pack)(const CodePanels&, int, const std::byte*, int64_t, int64_t, std::byte*);
};

constexpr Row kRows[] = {
    {DType::q4_0, {4, 32, 32, false, 8}, 8, pack<BlockQ4_0, 32>},
    {DType::q4_1, {4, 32, 32, true, 0}, 0, pack<BlockQ4_1, 32>},
    {DType::q5_0, {8, 32, 32, false, 128}, 128, pack<BlockQ5_0, 32>},
    {DType::q5_1, {8, 32, 32, true, 128}, 128, pack<BlockQ5_1, 32>},
    {DType::q8_0, {8, 32, 32, false, 128}, 128, pack<BlockQ8_0, 32>},
    {DType::iq4_nl, {4, 32, 32, false, 128, kIq4Levels}, 0, pack<BlockIQ4_NL, 32>},
    {DType::q2_k, {4, 256, 16, true, 0}, 0, pack<BlockQ2_K, 256>},
    {DType::q3_k, {4, 256, 16, false, 4}, 4, pack<BlockQ3_K, 256>},
    {DType::q4_k, {4, 256, 32, true, 0}, 0, pack<BlockQ4_K, 256>},
    {DType::q5_k, {8, 256, 32, true, 128}, 128, pack<BlockQ5_K, 256>},
    {DType::q6_k, {8, 256, 16, false, 128}, 128, pack<BlockQ6_K, 256>},
    {DType::iq4_xs, {4, 256, 32, false, 128, kIq4Levels}, 0, pack<BlockIQ4_XS, 256>},
};

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
  SK_CHECK(row && rows <= kPanel && width % block_size(type).elements == 0);
  return row->pack(row->shape, row->add, blocks, rows, width, panel);
}

}  // namespace skein::cpu
