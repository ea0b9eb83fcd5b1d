#include "quant/level_panels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "quant/blocks32/bits.h"
#include "quant/plain/bits.h"
#include "quant/webrwkv/bits.h"

namespace skein::quant {
namespace {

// Where a row's codes and scales of one block go.
struct BlockPlace {
  const LevelPanels& shape;
  int64_t width;
  int64_t block;
  int64_t lane;
  std::byte* panel;

  std::byte* codes(int64_t input) const {
    const int64_t k = block * shape.block + input;
    return panel + (shape.bits == 8 ? k * kPanelRows + lane : (k / 8 * kPanelRows + lane) * 4);
  }
  template <typename Scale>
  void put_scale(int plane, Scale scale) const {
    std::memcpy(panel + shape.codes_bytes(width) + plane * shape.scales_bytes(width) +
                    (block * kPanelRows + lane) * shape.scale_bytes,
                &scale, sizeof(scale));
  }
};

bool put_block(const BlockNF4& block, const BlockPlace& out) {
  out.put_scale(0, block.absmax);
  for (int k = 0; k < 64; k += 8) std::memcpy(out.codes(k), block.qs + k / 2, 4);
  return f16_is_finite(block.absmax);
}

bool put_block(const BlockINT8& block, const BlockPlace& out) {
  out.put_scale(0, block.min);
  out.put_scale(1, block.max);
  for (int k = 0; k < 128; ++k) *out.codes(k) = std::byte{block.qs[k]};
  return f16_is_finite(block.min) && f16_is_finite(block.max);
}

// Half the level, or 0 where that is less than a scale of 2^-126 can be multiplied by without
// leaving the normal numbers.
uint8_t half_code(uint8_t code) {
  constexpr uint8_t kHalf[8] = {0, 0, 0, 0, 2, 3, 4, 6};
  const int half = kHalf[code & 7];
  constexpr uint8_t kCodeOfLevel[7] = {0, 1, 2, 3, 4, 0, 5};
  return static_cast<uint8_t>(kCodeOfLevel[half] | (half ? code & 8 : 0));
}

bool put_block(const BlockMXFP4& block, const BlockPlace& out) {
  uint8_t codes[32];
  float largest = 0;
  for (int k = 0; k < 32; ++k) {
    codes[k] = static_cast<uint8_t>(k < 16 ? block.qs[k] & 15 : block.qs[k - 16] >> 4);
    largest = std::max(largest, std::fabs(kMxfp4Numbers[codes[k]]));
    if (block.e == 0) codes[k] = half_code(codes[k]);
  }
  for (int k = 0; k < 32; k += 8) {
    uint32_t eight = 0;
    for (int i = 0; i < 8; ++i) eight |= uint32_t{codes[k + i]} << 4 * i;
    std::memcpy(out.codes(k), &eight, 4);
  }
  out.put_scale(0, std::max<uint8_t>(block.e, 1));
  return block.e != 255 && std::isfinite(std::ldexp(largest, block.e - 127));
}

template <typename Block>
bool pack(const LevelPanels& shape, const std::byte* blocks, int64_t rows, int64_t width,
          std::byte* panel) {
  const int64_t count = width / shape.block;
  // The rows that are not there, and what fills the last line.
  std::memset(panel, 0, static_cast<size_t>(shape.panel_bytes(width)));
  for (int64_t lane = 0; lane < rows; ++lane) {
    for (int64_t b = 0; b < count; ++b, blocks += sizeof(Block)) {
      Block block;
      std::memcpy(&block, blocks, sizeof(Block));
      if (!put_block(block, {shape, width, b, lane, panel})) return false;
    }
  }
  return true;
}

struct Row {
  DType type;
  const LevelPanels* shape;
  bool (*pack)(const LevelPanels&, const std::byte*, int64_t, int64_t, std::byte*);
};

constexpr Row kRows[] = {
    {DType::nf4, &kNf4Panels, pack<BlockNF4>},
    {DType::mxfp4, &kMxfp4Panels, pack<BlockMXFP4>},
    {DType::int8, &kInt8Panels, pack<BlockINT8>},
};

const Row* row_of(DType type) {
  const Row* row = std::find_if(std::begin(kRows), std::end(kRows),
                                [type](const Row& each) { return each.type == type; });
  return row == std::end(kRows) ? nullptr : row;
}

}  // namespace

const LevelPanels* level_panels(DType type) {
  const Row* row = row_of(type);
  return row ? row->shape : nullptr;
}

bool pack_levels(DType type, const std::byte* blocks, int64_t rows, int64_t width,
                 std::byte* panel) {
  const Row* row = row_of(type);
  SK_CHECK(row && rows <= kPanelRows && width % row->shape->block == 0);
  return row->pack(*row->shape, blocks, rows, width, panel);
}

}  // namespace skein::quant
