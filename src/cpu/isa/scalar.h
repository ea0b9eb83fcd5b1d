// The vector layer in plain C++: the definition that the other instruction sets must equal bit for
// bit, and what runs where there is nothing better. Included once, by kernels_scalar.cpp.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cpu/isa/pairs.h"
#include "quant/plain/bits.h"

namespace skein::cpu::SK_ISA {

// Sixteen lanes on every instruction set: a panel of 16 output rows, or 16 neighbours of a row.
struct F32x16 {
  float lane[16];
};

// Register tiles of the matrix product: panels of 16 rows by tokens.
inline constexpr int kTileTokens = 4;
inline constexpr bool kPairPanels = false;

template <typename F>
inline F32x16 each(F f) {
  F32x16 out;
  for (int i = 0; i < 16; ++i) out.lane[i] = f(i);
  return out;
}

inline float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline uint32_t to_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline F32x16 set1(float x) {
  return each([&](int) { return x; });
}
inline F32x16 load(const float* p) {
  return each([&](int i) { return p[i]; });
}
inline F32x16 load_n(const float* p, int n) {  // lanes from n on are 0
  return each([&](int i) { return i < n ? p[i] : 0.0f; });
}
inline F32x16 load_f16(const uint16_t* p) {
  return each([&](int i) { return quant::f16_to_f32(p[i]); });
}
inline F32x16 load_bf16(const uint16_t* p) {
  return each([&](int i) { return quant::bf16_to_f32(p[i]); });
}
inline F32x16 load_i8(const int8_t* p) {
  return each([&](int i) { return static_cast<float>(p[i]); });
}
inline F32x16 load_u8(const uint8_t* p) {
  return each([&](int i) { return static_cast<float>(p[i]); });
}
inline F32x16 load_powers(const uint8_t* p) {  // 2^(p - 127), of 1 to 254
  return each([&](int i) { return from_bits(uint32_t{p[i]} << 23); });
}
inline void store(float* p, F32x16 a) { std::memcpy(p, a.lane, sizeof a.lane); }
inline void store_n(float* p, F32x16 a, int n) {
  for (int i = 0; i < n; ++i) p[i] = a.lane[i];
}
inline F32x16 keep_n(F32x16 a, int n) {  // lanes from n on become 0
  return each([&](int i) { return i < n ? a.lane[i] : 0.0f; });
}

inline F32x16 add(F32x16 a, F32x16 b) {
  return each([&](int i) { return a.lane[i] + b.lane[i]; });
}
inline F32x16 sub(F32x16 a, F32x16 b) {
  return each([&](int i) { return a.lane[i] - b.lane[i]; });
}
inline F32x16 mul(F32x16 a, F32x16 b) {
  return each([&](int i) { return a.lane[i] * b.lane[i]; });
}
inline F32x16 div(F32x16 a, F32x16 b) {
  return each([&](int i) { return a.lane[i] / b.lane[i]; });
}
inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {  // a * b + c, rounded once
  return each([&](int i) { return std::fma(a.lane[i], b.lane[i], c.lane[i]); });
}
// min and max give the second operand when one is not a number, as the x86 instructions do.
inline F32x16 max(F32x16 a, F32x16 b) {
  return each([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline F32x16 min(F32x16 a, F32x16 b) {
  return each([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline F32x16 abs(F32x16 a) {
  return each([&](int i) { return from_bits(to_bits(a.lane[i]) & 0x7fffffffu); });
}
// `magnitude` with the sign of `sign`; magnitude must not be negative.
inline F32x16 with_sign(F32x16 magnitude, F32x16 sign) {
  return each([&](int i) {
    return from_bits(to_bits(magnitude.lane[i]) | (to_bits(sign.lane[i]) & 0x80000000u));
  });
}
// Where a < b the lanes of `yes`, elsewhere those of `no`.
inline F32x16 where_less(F32x16 a, F32x16 b, F32x16 yes, F32x16 no) {
  return each([&](int i) { return a.lane[i] < b.lane[i] ? yes.lane[i] : no.lane[i]; });
}
// p * 2^n, where n was made by adding 1.5 * 2^23 to a small whole number; the result is normal.
inline F32x16 scale_by_exponent(F32x16 p, F32x16 n_plus_magic) {
  return each(
      [&](int i) { return from_bits(to_bits(p.lane[i]) + (to_bits(n_plus_magic.lane[i]) << 23)); });
}
// The fixed tree: lanes 8 apart, then 4, 2, 1.
inline float reduce_add(F32x16 a) {
  for (int step = 8; step > 0; step /= 2)
    for (int i = 0; i < step; ++i) a.lane[i] += a.lane[i + step];
  return a.lane[0];
}
inline void prefetch(const void*) {}

// Eight codes of 4 bits for each of 16 rows.
struct NibbleLanes {
  uint32_t lane[16];
};
inline NibbleLanes load_lanes(const uint8_t* p) {
  NibbleLanes out;
  std::memcpy(out.lane, p, sizeof out.lane);
  return out;
}
// What the lowest code of each row stands for; the next one becomes the lowest.
inline F32x16 take_nibbles(F32x16 numbers, NibbleLanes* codes) {
  return each([&](int i) {
    const float number = numbers.lane[codes->lane[i] & 15];
    codes->lane[i] >>= 4;
    return number;
  });
}

// ---- whole numbers ------------------------------------------------------------------------------

// Codes of 16 rows by 4 inputs, unsigned: [row][input].
struct Quads {
  uint8_t code[64];
};
inline Quads load_quads(const uint8_t* p) {
  Quads out;
  std::memcpy(out.code, p, sizeof out.code);
  return out;
}
// 4-bit codes: the lower halves, then the upper ones.
inline void load_nibbles(const uint8_t* p, Quads* low, Quads* high) {
  for (int i = 0; i < 64; ++i) {
    low->code[i] = p[i] & 15;
    high->code[i] = p[i] >> 4;
  }
}
// ... looked up in 16 levels, to which 128 is added.
struct NibbleTable {
  uint8_t code[16];
};
inline NibbleTable load_table(const int8_t* levels) {
  NibbleTable out;
  for (int i = 0; i < 16; ++i) out.code[i] = static_cast<uint8_t>(levels[i] + 128);
  return out;
}
inline void look_up_nibbles(const uint8_t* p, const NibbleTable& table, Quads* low, Quads* high) {
  for (int i = 0; i < 64; ++i) {
    low->code[i] = table.code[p[i] & 15];
    high->code[i] = table.code[p[i] >> 4];
  }
}

// 64 bytes of 4-bit codes as 128 of 8 bits: the lower halves, then the upper ones.
inline void widen_nibbles(const uint8_t* p, uint8_t* out) {
  for (int i = 0; i < 64; ++i) {
    out[i] = p[i] & 15;
    out[64 + i] = p[i] >> 4;
  }
}
inline void widen_nibbles(const uint8_t* p, const NibbleTable& table, uint8_t* out) {
  widen_nibbles(p, out);
  for (int i = 0; i < 128; ++i) out[i] = table.code[out[i]];
}

// What codes of 8 bits, looked up or not, lack in Quads; a layer whose products take signed bytes
// leaves out 128.
inline constexpr int kByteBias = 0;

// Panels that one token passes through together, tokens that share the unpacking of a panel of
// codes, and the tile where nothing is left to unpack.
inline constexpr int kDotPanels = 4;
inline constexpr int kDotTokens = 4;
inline constexpr int kDotTilePanels = 1;
inline constexpr int kDotTileTokens = 4;

// Exact sums of products of codes and activations, for 16 rows.
struct Dots {
  int32_t sum[16];
};
inline Dots start_dots(int32_t value) {
  Dots out;
  for (int32_t& sum : out.sum) sum = value;
  return out;
}
// Adds four inputs. A quad's activations are four bytes in each plane; here 16-bit numbers, inputs
// 0 and 2 in the first plane, 1 and 3 in the second.
inline void dot(Dots* dots, const Quads& w, const std::byte* first, const std::byte* second) {
  int16_t even[2], odd[2];
  std::memcpy(even, first, sizeof even);
  std::memcpy(odd, second, sizeof odd);
  for (int row = 0; row < 16; ++row) {
    const uint8_t* code = w.code + 4 * row;
    dots->sum[row] += code[0] * even[0] + code[1] * odd[0] + code[2] * even[1] + code[3] * odd[1];
  }
}
inline F32x16 to_f32(const Dots& dots) {
  return each([&](int i) { return static_cast<float>(dots.sum[i]); });
}
// The same for activations of one signed byte, and the tile of that.
inline constexpr int kByteTilePanels = 1;
inline constexpr int kByteTileTokens = 2;
struct ByteDots {
  int32_t sum[16];
};
inline ByteDots start_byte_dots(int32_t value) {
  ByteDots out;
  for (int32_t& sum : out.sum) sum = value;
  return out;
}
inline void dot_bytes(ByteDots* dots, const Quads& w, const std::byte* x) {
  for (int row = 0; row < 16; ++row)
    for (int i = 0; i < 4; ++i) dots->sum[row] += w.code[4 * row + i] * static_cast<int8_t>(x[i]);
}
inline F32x16 to_f32(const ByteDots& dots) {
  return each([&](int i) { return static_cast<float>(dots.sum[i]); });
}
// The lowest bytes of 16 numbers to which 1.5 * 2^23 was added.
inline void store_low_bytes(std::byte* p, F32x16 plus_magic) {
  for (int i = 0; i < 16; ++i) p[i] = static_cast<std::byte>(to_bits(plus_magic.lane[i]));
}

// Four quads of activations, as the lower 16 bits of numbers to which 1.5 * 2^23 was added.
inline void store_quads(std::byte* first, std::byte* second, F32x16 plus_magic) {
  for (int quad = 0; quad < 4; ++quad) {
    uint16_t x[4];
    for (int i = 0; i < 4; ++i)
      x[i] = static_cast<uint16_t>(to_bits(plus_magic.lane[4 * quad + i]));
    const uint16_t even[2] = {x[0], x[2]}, odd[2] = {x[1], x[3]};
    std::memcpy(first + 4 * quad, even, sizeof even);
    std::memcpy(second + 4 * quad, odd, sizeof odd);
  }
}

// Four records' 64 codes as four times 16 rows of quads: row 4 L + e of quads q is at 16 L + 4 q +
// e.
inline void interleave(const uint8_t* const* records, uint8_t* quads) {
  for (int input = 0; input < 4; ++input)
    for (int q = 0; q < 4; ++q)
      for (int row = 0; row < 16; ++row)
        quads[64 * q + 4 * row + input] = records[input][row / 4 * 16 + 4 * q + row % 4];
}

}  // namespace skein::cpu::SK_ISA
