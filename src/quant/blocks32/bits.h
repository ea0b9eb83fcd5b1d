// Blocks of 32 numbers that share a half-precision scale. A block is 32 consecutive numbers of a
// row. Nibbles: byte j holds element j below and element j + 16 above.
//
//   type    bits  codes         value           error   why not the neighbour
//   Q4_0    4.5   -8 .. 7       d q             8.6 %   smallest and fastest; IQ4_NL errs less
//   Q4_1    5.0   0 .. 15       d q + m         7.7 %   one-sided data; else Q5_0 is worth the bits
//   Q5_0    5.5   -16 .. 15     d q             4.3 %   where 256 does not divide the row
//   Q5_1    6.0   0 .. 31       d q + m         3.8 %   the same, one-sided
//   Q8_0    8.5   -127 .. 127   d q             0.55 %  near-lossless; the type for LoRA matrices
//   Q8_1    9.0   -127 .. 127   d q, s = sum    0.55 %  activations only: s serves Q4_1's m
//   IQ4_NL  4.5   16 levels     d level[q]      7.3 %   as Q4_0 with levels that suit bell curves
//   MXFP4   4.25  e2m1          2^(e-127) q     11.5 %  made for hardware; scales are powers of two
//
// error: rms error over rms value for Gaussian rows, measured on tests/fixtures/quant.
#pragma once

#include <cstdint>
#include <cstring>

namespace skein::quant {

struct BlockQ4_0 {
  uint16_t d;  // half, as every d, m and s here
  uint8_t qs[16];
};
struct BlockQ4_1 {
  uint16_t d;
  uint16_t m;
  uint8_t qs[16];
};
struct BlockQ5_0 {
  uint16_t d;
  uint8_t qh[4];  // little endian; bit j is the fifth bit of element j
  uint8_t qs[16];
};
struct BlockQ5_1 {
  uint16_t d;
  uint16_t m;
  uint8_t qh[4];
  uint8_t qs[16];
};
struct BlockQ8_0 {
  uint16_t d;
  int8_t qs[32];
};
struct BlockQ8_1 {
  uint16_t d;
  uint16_t s;  // d * (sum of qs)
  int8_t qs[32];
};
struct BlockIQ4_NL {
  uint16_t d;
  uint8_t qs[16];
};
struct BlockMXFP4 {
  uint8_t e;  // E8M0: 255 is NaN
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 && sizeof(BlockQ5_0) == 22);
static_assert(sizeof(BlockQ5_1) == 24 && sizeof(BlockQ8_0) == 34 && sizeof(BlockQ8_1) == 36);
static_assert(sizeof(BlockIQ4_NL) == 18 && sizeof(BlockMXFP4) == 17);

// The levels of IQ4_NL and IQ4_XS: no zero, not symmetric.
inline constexpr int8_t kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                          1,    13,   25,  38,  53,  69,  89,  113};

// Twice the e2m1 numbers, so that they are whole; the scale is then 2^(e - 128). Code 8 is written
// -0 in the e2m1 standard; files are read as +0 by the tools that write them.
inline constexpr int8_t kMxfp4Levels[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                            0, -1, -2, -3, -4, -6, -8, -12};

inline uint32_t fifth_bits(const uint8_t (&qh)[4]) {
  uint32_t bits = 0;
  std::memcpy(&bits, qh, sizeof(bits));
  return bits;
}

// The 32 codes of a block in the order of its elements; of IQ4_NL the places of the levels.
inline void nibble_codes(const uint8_t (&qs)[16], int lowest, int8_t* codes) {
  for (int j = 0; j < 16; ++j) {
    codes[j] = static_cast<int8_t>((qs[j] & 15) + lowest);
    codes[j + 16] = static_cast<int8_t>((qs[j] >> 4) + lowest);
  }
}
inline void five_bit_codes(const uint8_t (&qs)[16], const uint8_t (&qh)[4], int lowest,
                           int8_t* codes) {
  nibble_codes(qs, lowest, codes);
  const uint32_t fifth = fifth_bits(qh);
  for (int j = 0; j < 32; ++j)
    codes[j] = static_cast<int8_t>(codes[j] + static_cast<int>((fifth >> j) & 1u) * 16);
}
inline void codes_of(const BlockQ4_0& block, int8_t* codes) { nibble_codes(block.qs, -8, codes); }
inline void codes_of(const BlockQ4_1& block, int8_t* codes) { nibble_codes(block.qs, 0, codes); }
inline void codes_of(const BlockQ5_0& block, int8_t* codes) {
  five_bit_codes(block.qs, block.qh, -16, codes);
}
inline void codes_of(const BlockQ5_1& block, int8_t* codes) {
  five_bit_codes(block.qs, block.qh, 0, codes);
}
inline void codes_of(const BlockQ8_0& block, int8_t* codes) {
  std::memcpy(codes, block.qs, sizeof(block.qs));
}
inline void codes_of(const BlockIQ4_NL& block, int8_t* codes) { nibble_codes(block.qs, 0, codes); }

// The opposite of codes_of, for codes in the type's range; the scales stay.
inline void put_nibbles(const int8_t* codes, int lowest, uint8_t (&qs)[16]) {
  for (int j = 0; j < 16; ++j)
    qs[j] = static_cast<uint8_t>(((codes[j] - lowest) & 15) | ((codes[j + 16] - lowest) & 15) << 4);
}
inline void put_five_bits(const int8_t* codes, int lowest, uint8_t (&qs)[16], uint8_t (&qh)[4]) {
  put_nibbles(codes, lowest, qs);
  uint32_t fifth = 0;
  for (int j = 0; j < 32; ++j) fifth |= (static_cast<uint32_t>(codes[j] - lowest) >> 4 & 1u) << j;
  std::memcpy(qh, &fifth, sizeof(fifth));
}
inline void put_codes(const int8_t* codes, BlockQ4_0& block) { put_nibbles(codes, -8, block.qs); }
inline void put_codes(const int8_t* codes, BlockQ4_1& block) { put_nibbles(codes, 0, block.qs); }
inline void put_codes(const int8_t* codes, BlockQ5_0& block) {
  put_five_bits(codes, -16, block.qs, block.qh);
}
inline void put_codes(const int8_t* codes, BlockQ5_1& block) {
  put_five_bits(codes, 0, block.qs, block.qh);
}
inline void put_codes(const int8_t* codes, BlockQ8_0& block) {
  std::memcpy(block.qs, codes, sizeof(block.qs));
}
inline void put_codes(const int8_t* codes, BlockIQ4_NL& block) { put_nibbles(codes, 0, block.qs); }

}  // namespace skein::quant
