// Panels of the block types that are no panels of codes (panels.h), because a weight is no small
// whole number times a half: NF4's levels are quantiles, INT8's are steps between two halves, and
// MXFP4's scales are powers of two below and above any half. A matrix keeps the codes of its file,
// and whoever multiplies with it makes f32 of them, the same numbers that a decoder makes.
//
//   types   bits a weight  planes
//   NF4     4.25           codes, absmax
//   MXFP4   4.25           codes, exponents
//   INT8    8.25           codes, min, max
//
// Panels are made when a model is loaded; no file holds them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "quant/imports/nf4.h"
#include "quant/panels.h"
#include "tensor/dtype.h"

namespace skein::quant {

// Codes of 8 bits are [in][16 rows], of 4 bits [in / 8][16 rows] of 32 bits, the first of eight
// inputs lowest. Scales follow, [in / block][16], and as many again where there are two planes.
struct LevelPanels {
  int bits = 4;
  int block = 64;       // the inputs of a matrix are a multiple of it
  int scale_bytes = 2;  // halves, or the byte e of a scale 2^(e - 127)
  int scale_planes = 1;

  constexpr int64_t codes_bytes(int64_t in) const { return kPanelRows * in * bits / 8; }
  constexpr int64_t scales_bytes(int64_t in) const { return in / block * kPanelRows * scale_bytes; }
  constexpr int64_t panel_bytes(int64_t in) const {
    return (codes_bytes(in) + scale_planes * scales_bytes(in) + 63) / 64 * 64;
  }
};

inline constexpr LevelPanels kNf4Panels = {.bits = 4, .block = 64};
inline constexpr LevelPanels kMxfp4Panels = {.bits = 4, .block = 32, .scale_bytes = 1};
inline constexpr LevelPanels kInt8Panels = {.bits = 8, .block = 128, .scale_planes = 2};

// What MXFP4's codes stand for when the scale is 2^(e - 127). A panel's scales are all normal: a
// block of e = 0 is packed with e = 1 and codes of half the level; those that have none would be
// flushed to zero, and are zero.
inline constexpr float kMxfp4Numbers[16] = {0, 0.5f,  1,  1.5f,  2,  3,  4,  6,
                                            0, -0.5f, -1, -1.5f, -2, -3, -4, -6};

// nullptr: the type has no such panels.
const LevelPanels* level_panels(DType type);

// One panel, of a type that has them, from `rows` rows of whole blocks, at most 16, that lie one
// after the other. False if a block's scale or a number of it is not finite.
bool pack_levels(DType type, const std::byte* blocks, int64_t rows, int64_t width,
                 std::byte* panel);

}  // namespace skein::quant
