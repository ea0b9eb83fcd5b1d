// Panels: sixteen rows of a matrix side by side, so that a row is a lane of a vector. What the CPU
// computes with and what a packed file holds. Of numbers (Layout::panels16) a panel is [width][16];
// of block types (Layout::codes16) it is
//
//   types             bits a weight  shape: bits, block, group (CodePanels)
//   IQ4_XS            4.31           4, 256, 32
//   Q4_0, IQ4_NL      4.5            4, 32, 32
//   Q3_K              4.56           4, 256, 16
//   Q4_K              4.63           4, 256, 32 with offsets
//   Q4_1              5              4, 32, 32 with offsets
//   Q2_K              5.13           4, 256, 16 with offsets
//   Q8_0, Q5_0        8.5            8, 32, 32
//   Q6_K              8.56           8, 256, 16
//   Q5_K              8.63           8, 256, 32 with offsets
//   Q5_1              9              8, 32, 32 with offsets
//
// Codes are 4 or 8 bits: to gather a fifth or sixth bit from elsewhere takes instructions that a
// decode step has no room for. NF4, MXFP4 and INT8 have panels of another kind (level_panels.h).
// Q8_1 and Q8_K have none: no model's matrices come in them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace skein::quant {

// Rows of a matrix in one panel.
inline constexpr int64_t kPanelRows = 16;

// A panel of codes is four planes, one after the other: codes, [in / 4][16 rows][4 inputs] of 8
// bits, or of 4 bits with the next four inputs in the upper halves; scales in f16, [in /
// block][16], and where `shifted` as many offsets; multipliers of the scales, [in / group][16],
// unless a block is one group, and where shifted as many of the offsets. A weight is
//   (level * multiplier) * scale, and where shifted + multiplier of the offset * offset,
// with level = code - bias, or levels[code]. Four neighbours of a row in 32 bits are what integer
// dot products and AMX tiles take, and a lane is an output row, so that nothing is summed across
// lanes. Packed files hold these bytes: another order is another Layout.
struct CodePanels {
  int bits = 8;
  int block = 32;  // the inputs of a matrix are a multiple of it
  int group = 32;  // 16 or 32
  bool shifted = false;
  int bias = 128;                  // codes are unsigned
  const int8_t* levels = nullptr;  // of 4 bits: what the codes stand for; bias is then 128

  constexpr int64_t codes_bytes(int64_t in) const { return kPanelRows * in * bits / 8; }
  constexpr int64_t scales_bytes(int64_t in) const { return in / block * kPanelRows * 2; }
  constexpr int64_t multipliers_bytes(int64_t in) const {
    return block == group ? 0 : in / group * kPanelRows;
  }
  // Where the planes begin; codes are the first. Offsets only where shifted.
  constexpr int64_t scales_at(int64_t in) const { return codes_bytes(in); }
  constexpr int64_t offsets_at(int64_t in) const { return scales_at(in) + scales_bytes(in); }
  constexpr int64_t multipliers_at(int64_t in) const {
    return shifted ? offsets_at(in) + scales_bytes(in) : offsets_at(in);
  }
  constexpr int64_t offset_multipliers_at(int64_t in) const {
    return multipliers_at(in) + multipliers_bytes(in);
  }
  constexpr int64_t panel_bytes(int64_t in) const {
    const int64_t end = offset_multipliers_at(in) + (shifted ? multipliers_bytes(in) : 0);
    return (end + 63) / 64 * 64;
  }
};

// nullptr: the type has no panels of codes.
const CodePanels* code_panels(DType type);

// One panel, of a type that has them, from `rows` rows of whole blocks, at most 16, that lie one
// after the other. False if a block's scale is infinite or NaN.
bool pack_codes(DType type, const std::byte* blocks, int64_t rows, int64_t width, std::byte* panel);

// Blocks [first, first + count) of a row of a panel, as they were. Any bytes can be a panel: false
// if codes or multipliers are none that such blocks have.
bool unpack_codes(DType type, const std::byte* panel, int64_t width, int64_t row, int64_t first,
                  int64_t count, std::byte* blocks);

// Whether no scale of `count` blocks of such a type is infinite or NaN.
bool blocks_are_finite(DType type, const std::byte* blocks, int64_t count);

// Whether the first `rows` rows of a panel are such as pack_codes() makes: no scale is infinite or
// NaN, and blocks have all codes and multipliers. The other rows may be anything.
bool codes_are_valid(DType type, const std::byte* panel, int64_t rows, int64_t width);

// One panel of numbers of 2 or 4 bytes from at most 16 rows that lie one after the other.
void pack_numbers(int64_t number_bytes, const std::byte* numbers, int64_t rows, int64_t width,
                  std::byte* panel);

}  // namespace skein::quant
