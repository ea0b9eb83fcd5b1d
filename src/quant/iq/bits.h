// IQ4_XS: super-blocks of 256 with the sixteen unequal levels of IQ4_NL.
//
//   type    bits  group  value                    error  why not the neighbour
//   IQ4_XS  4.25  32     d (ls - 32) level[q]     7.3 %  Q4_K has 6.8 % for a quarter bit more;
//                                                        IQ4_NL where 256 does not divide the row
//
// error: rms error over rms value for Gaussian rows, measured on tests/fixtures/quant.
#pragma once

#include <cstdint>

namespace skein::quant {

struct BlockIQ4_XS {
  uint16_t d;           // half
  uint16_t scales_h;    // bits 2g+1:2g: the upper two bits of ls of group g
  uint8_t scales_l[4];  // the lower four, even g below, odd g above
  uint8_t qs[128];      // 16 bytes a group, nibbles as in IQ4_NL
};
static_assert(sizeof(BlockIQ4_XS) == 136);

// Scale of group g = 0..7, -32 .. 31.
inline int iq4_xs_scale(const BlockIQ4_XS& block, int g) {
  const int low = (block.scales_l[g / 2] >> (4 * (g & 1))) & 15;
  const int high = (block.scales_h >> (2 * g)) & 3;
  return (low | high << 4) - 32;
}

// The places of the 256 elements' levels in kIq4Levels.
inline void codes_of(const BlockIQ4_XS& block, int8_t* codes) {
  for (int g = 0; g < 8; ++g) {
    for (int l = 0; l < 16; ++l) {
      const uint8_t both = block.qs[16 * g + l];
      codes[32 * g + l] = static_cast<int8_t>(both & 15);
      codes[32 * g + l + 16] = static_cast<int8_t>(both >> 4);
    }
  }
}

// The opposites, for a block of zeros.
inline void put_iq4_xs_scale(BlockIQ4_XS& block, int g, int scale) {
  const int bits = scale + 32;
  block.scales_l[g / 2] = static_cast<uint8_t>(block.scales_l[g / 2] | (bits & 15) << 4 * (g & 1));
  block.scales_h = static_cast<uint16_t>(block.scales_h | (bits >> 4 & 3) << 2 * g);
}
inline void put_codes(const int8_t* codes, BlockIQ4_XS& block) {
  for (int g = 0; g < 8; ++g)
    for (int l = 0; l < 16; ++l)
      block.qs[16 * g + l] =
          static_cast<uint8_t>((codes[32 * g + l] & 15) | (codes[32 * g + l + 16] & 15) << 4);
}

}  // namespace skein::quant
