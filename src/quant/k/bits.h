// Super-blocks of 256 numbers: one or two half scales, small integer scales per group of 16 or 32,
// and codes whose bits lie in planes so that a vector load brings 32 of them.
//
//   type  bits    group  value                    error  why not the neighbour
//   Q2_K  2.625   16     d sc q - dmin mn         26 %   below the useful range for RWKV
//   Q3_K  3.4375  16     d (sc - 32) q            14 %   as above, where memory leaves no choice
//   Q4_K  4.5     32     d sc q - dmin mn         6.8 %  the default of the small preset
//   Q5_K  5.5     32     d sc q - dmin mn         3.5 %  half the damage of Q4_K for a bit more
//   Q6_K  6.5625  16     d sc q                   1.7 %  heads; Q8_0 costs two more bits
//   Q8_K  9.125   256    d q                      0.7 %  activations only: bsums serve the mins
//
// Below, h = 0..1 is the half, j = 0..3 the plane, l = 0..31: element 128 h + 32 j + l. The group
// of 16 is s = 8 h + 2 j + (l >= 16), that of 32 is g = 4 h + j. error: rms error over rms value
// for Gaussian rows, measured on tests/fixtures/quant.
#pragma once

#include <cstdint>

namespace skein::quant {

struct BlockQ2_K {
  uint8_t scales[16];  // of group s: scale below, min above
  uint8_t qs[64];      // bits 2j+1:2j of qs[32 h + l]
  uint16_t d;          // half, as dmin
  uint16_t dmin;
};
struct BlockQ3_K {
  uint8_t hmask[32];   // bit 4 h + j of hmask[l]: the third bit of the code
  uint8_t qs[64];      // as in Q2_K
  uint8_t scales[12];  // sixteen of 6 bits, see q3_k_scale
  uint16_t d;
};
struct BlockQ4_K {
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[12];  // eight scales and eight mins of 6 bits, see q4_k_scale
  uint8_t qs[128];     // qs[32 (g / 2) + l], even g below, odd g above
};
struct BlockQ5_K {
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[12];
  uint8_t qh[32];  // bit g of qh[l]: the fifth bit
  uint8_t qs[128];
};
struct BlockQ6_K {
  uint8_t ql[128];  // low four bits: j = 0, 1 below and j = 2, 3 above in ql[64 h + 32 (j & 1) + l]
  uint8_t qh[64];   // bits 2j+1:2j of qh[32 h + l]: the upper two
  int8_t scales[16];
  uint16_t d;
};
struct BlockQ8_K {
  float d;
  int8_t qs[256];
  int16_t bsums[16];  // sums of 16 codes
};
static_assert(sizeof(BlockQ2_K) == 84 && sizeof(BlockQ3_K) == 110 && sizeof(BlockQ4_K) == 144);
static_assert(sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210 && sizeof(BlockQ8_K) == 292);

// Scale of group s = 0..15 of Q3_K, -32 .. 31.
inline int q3_k_scale(const uint8_t (&scales)[12], int s) {
  const int low = s < 8 ? scales[s] & 15 : scales[s - 8] >> 4;
  const int high = (scales[8 + (s & 3)] >> (2 * (s >> 2))) & 3;
  return (low | high << 4) - 32;
}

// Scale and min of group g = 0..7 of Q4_K and Q5_K, 0 .. 63.
inline int q4_k_scale(const uint8_t (&scales)[12], int g) {
  return g < 4 ? scales[g] & 63 : (scales[g + 4] & 15) | (scales[g - 4] >> 6) << 4;
}
inline int q4_k_min(const uint8_t (&scales)[12], int g) {
  return g < 4 ? scales[g + 4] & 63 : scales[g + 4] >> 4 | (scales[g] >> 6) << 4;
}

// The 256 codes of a block in the order of its elements, q above.
inline void two_bit_codes(const uint8_t (&qs)[64], int8_t* codes) {
  for (int h = 0; h < 2; ++h)
    for (int j = 0; j < 4; ++j)
      for (int l = 0; l < 32; ++l)
        codes[128 * h + 32 * j + l] = static_cast<int8_t>((qs[32 * h + l] >> (2 * j)) & 3);
}
inline void four_bit_codes(const uint8_t (&qs)[128], int8_t* codes) {
  for (int g = 0; g < 8; ++g)
    for (int l = 0; l < 32; ++l)
      codes[32 * g + l] = static_cast<int8_t>((qs[32 * (g / 2) + l] >> (4 * (g & 1))) & 15);
}
inline void codes_of(const BlockQ2_K& block, int8_t* codes) { two_bit_codes(block.qs, codes); }
inline void codes_of(const BlockQ3_K& block, int8_t* codes) {
  two_bit_codes(block.qs, codes);
  for (int g = 0; g < 8; ++g)  // 4 h + j
    for (int l = 0; l < 32; ++l)
      codes[32 * g + l] =
          static_cast<int8_t>(codes[32 * g + l] + 4 * ((block.hmask[l] >> g) & 1) - 4);
}
inline void codes_of(const BlockQ4_K& block, int8_t* codes) { four_bit_codes(block.qs, codes); }
inline void codes_of(const BlockQ5_K& block, int8_t* codes) {
  four_bit_codes(block.qs, codes);
  for (int g = 0; g < 8; ++g)
    for (int l = 0; l < 32; ++l)
      codes[32 * g + l] = static_cast<int8_t>(codes[32 * g + l] + 16 * ((block.qh[l] >> g) & 1));
}
inline void codes_of(const BlockQ6_K& block, int8_t* codes) {
  for (int h = 0; h < 2; ++h)
    for (int j = 0; j < 4; ++j)
      for (int l = 0; l < 32; ++l) {
        const int low = (block.ql[64 * h + 32 * (j & 1) + l] >> (4 * (j >> 1))) & 15;
        const int high = (block.qh[32 * h + l] >> (2 * j)) & 3;
        codes[128 * h + 32 * j + l] = static_cast<int8_t>((low | high << 4) - 32);
      }
}

// The opposites, for a block of zeros.
inline void put_bits(uint8_t& byte, int value, int shift) {
  byte = static_cast<uint8_t>(byte | value << shift);
}
inline void put_q3_k_scale(uint8_t (&scales)[12], int s, int scale) {
  put_bits(scales[s & 7], (scale + 32) & 15, s < 8 ? 0 : 4);
  put_bits(scales[8 + (s & 3)], (scale + 32) >> 4 & 3, 2 * (s >> 2));
}
inline void put_q4_k_scale(uint8_t (&scales)[12], int g, int scale) {
  if (g < 4) return put_bits(scales[g], scale & 63, 0);
  put_bits(scales[g + 4], scale & 15, 0);
  put_bits(scales[g - 4], scale >> 4 & 3, 6);
}
inline void put_q4_k_min(uint8_t (&scales)[12], int g, int min) {
  if (g < 4) return put_bits(scales[g + 4], min & 63, 0);
  put_bits(scales[g + 4], min & 15, 4);
  put_bits(scales[g], min >> 4 & 3, 6);
}

inline void put_two_bits(const int8_t* codes, int lowest, uint8_t (&qs)[64]) {
  for (int h = 0; h < 2; ++h)
    for (int j = 0; j < 4; ++j)
      for (int l = 0; l < 32; ++l)
        put_bits(qs[32 * h + l], (codes[128 * h + 32 * j + l] - lowest) & 3, 2 * j);
}
inline void put_four_bits(const int8_t* codes, uint8_t (&qs)[128]) {
  for (int g = 0; g < 8; ++g)
    for (int l = 0; l < 32; ++l)
      put_bits(qs[32 * (g / 2) + l], codes[32 * g + l] & 15, 4 * (g & 1));
}
inline void put_codes(const int8_t* codes, BlockQ2_K& block) { put_two_bits(codes, 0, block.qs); }
inline void put_codes(const int8_t* codes, BlockQ3_K& block) {
  put_two_bits(codes, -4, block.qs);
  for (int g = 0; g < 8; ++g)
    for (int l = 0; l < 32; ++l) put_bits(block.hmask[l], (codes[32 * g + l] + 4) >> 2 & 1, g);
}
inline void put_codes(const int8_t* codes, BlockQ4_K& block) { put_four_bits(codes, block.qs); }
inline void put_codes(const int8_t* codes, BlockQ5_K& block) {
  put_four_bits(codes, block.qs);
  for (int g = 0; g < 8; ++g)
    for (int l = 0; l < 32; ++l) put_bits(block.qh[l], codes[32 * g + l] >> 4 & 1, g);
}
inline void put_codes(const int8_t* codes, BlockQ6_K& block) {
  for (int h = 0; h < 2; ++h)
    for (int j = 0; j < 4; ++j)
      for (int l = 0; l < 32; ++l) {
        const int code = codes[128 * h + 32 * j + l] + 32;
        put_bits(block.ql[64 * h + 32 * (j & 1) + l], code & 15, 4 * (j >> 1));
        put_bits(block.qh[32 * h + l], code >> 4 & 3, 2 * j);
      }
}

}  // namespace skein::quant
