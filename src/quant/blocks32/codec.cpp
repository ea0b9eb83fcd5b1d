#include "quant/blocks32/codec.h"

#include <algorithm>
#include <cmath>

#include "quant/blocks32/bits.h"
#include "quant/plain/bits.h"

namespace skein::quant::blocks32 {
namespace {

constexpr int kElements = 32;
constexpr int kHalf = 16;

int low(uint8_t byte) { return byte & 15; }
int high(uint8_t byte) { return byte >> 4; }

// Decoders. Each product is exact in f32, so only the one addition of Q4_1 and Q5_1 rounds.

template <typename Block>
bool from_scaled(const Block& block, float* out) {
  if (!f16_is_finite(block.d)) return false;
  const float d = f16_to_f32(block.d);
  int8_t codes[kElements];
  codes_of(block, codes);
  for (int j = 0; j < kElements; ++j) out[j] = static_cast<float>(codes[j]) * d;
  return true;
}

template <typename Block>
bool from_shifted(const Block& block, float* out) {
  if (!f16_is_finite(block.d) || !f16_is_finite(block.m)) return false;
  const float d = f16_to_f32(block.d);
  const float m = f16_to_f32(block.m);
  int8_t codes[kElements];
  codes_of(block, codes);
  for (int j = 0; j < kElements; ++j) out[j] = static_cast<float>(codes[j]) * d + m;
  return true;
}

bool from_q8_1(const BlockQ8_1& block, float* out) {
  if (!f16_is_finite(block.d) || !f16_is_finite(block.s)) return false;
  const float d = f16_to_f32(block.d);
  for (int j = 0; j < kElements; ++j) out[j] = static_cast<float>(block.qs[j]) * d;
  return true;
}

bool from_iq4_nl(const BlockIQ4_NL& block, float* out) {
  if (!f16_is_finite(block.d)) return false;
  const float d = f16_to_f32(block.d);
  int8_t codes[kElements];
  codes_of(block, codes);
  for (int j = 0; j < kElements; ++j) out[j] = static_cast<float>(kIq4Levels[codes[j]]) * d;
  return true;
}

bool from_mxfp4(const BlockMXFP4& block, float* out) {
  if (block.e == 255) return false;
  const float d = std::ldexp(1.0f, static_cast<int>(block.e) - 128);
  bool finite = true;
  for (int j = 0; j < kHalf; ++j) {
    out[j] = static_cast<float>(kMxfp4Levels[low(block.qs[j])]) * d;
    out[j + kHalf] = static_cast<float>(kMxfp4Levels[high(block.qs[j])]) * d;
    finite = finite && std::isfinite(out[j]) && std::isfinite(out[j + kHalf]);
  }
  return finite;  // the two largest exponents carry large codes beyond f32
}

// Encoders: the reference quantisers, in f32 and in this order because files are compared by byte.

bool all_finite(const float* x) {
  return std::all_of(x, x + kElements, [](float value) { return std::isfinite(value); });
}

// 1/d, and 0 where there is none: d may be so small that its inverse overflows, and then its half
// is zero and the codes do not matter.
float inverse(float d) {
  const float id = d != 0 ? 1.0f / d : 0.0f;
  return std::isfinite(id) ? id : 0.0f;
}

// The signed value of the first element of largest magnitude.
float first_extreme(const float* x) {
  float extreme = x[0];
  for (int j = 1; j < kElements; ++j)
    if (std::fabs(x[j]) > std::fabs(extreme)) extreme = x[j];
  return extreme;
}

void pack_nibbles(const int* codes, uint8_t (&qs)[16]) {
  for (int j = 0; j < kHalf; ++j)
    qs[j] = static_cast<uint8_t>((codes[j] & 15) | (codes[j + kHalf] & 15) << 4);
}

void pack_fifth_bits(const int* codes, uint8_t (&qh)[4]) {
  uint32_t fifth = 0;
  for (int j = 0; j < kElements; ++j) fifth |= static_cast<uint32_t>((codes[j] >> 4) & 1) << j;
  std::memcpy(qh, &fifth, sizeof(fifth));
}

// Codes 0 .. 2 levels - 1 standing for -levels .. levels - 1. The extreme gets -levels, the side
// that has one code more.
bool symmetric_codes(const float* x, int levels, uint16_t& half_d, int* codes) {
  if (!all_finite(x)) return false;
  const float d = first_extreme(x) / static_cast<float>(-levels);
  half_d = f32_to_f16(d);
  if (!f16_is_finite(half_d)) return false;
  const float id = inverse(d);
  for (int j = 0; j < kElements; ++j) {
    const float shifted = x[j] * id + (static_cast<float>(levels) + 0.5f);
    codes[j] = std::min(2 * levels - 1, static_cast<int>(shifted));
  }
  return true;
}

// Codes 0 .. top from the smallest number to the largest.
bool offset_codes(const float* x, int top, uint16_t& half_d, uint16_t& half_m, int* codes) {
  if (!all_finite(x)) return false;
  const auto [lowest, highest] = std::minmax_element(x, x + kElements);
  const float m = *lowest;
  const float d = (*highest - m) / static_cast<float>(top);
  half_d = f32_to_f16(d);
  half_m = f32_to_f16(m);
  if (!f16_is_finite(half_d) || !f16_is_finite(half_m)) return false;
  const float id = inverse(d);
  for (int j = 0; j < kElements; ++j)
    codes[j] = std::min(top, static_cast<int>((x[j] - m) * id + 0.5f));
  return true;
}

bool to_q4_0(const float* x, BlockQ4_0& block) {
  int codes[kElements];
  if (!symmetric_codes(x, 8, block.d, codes)) return false;
  pack_nibbles(codes, block.qs);
  return true;
}

bool to_q4_1(const float* x, BlockQ4_1& block) {
  int codes[kElements];
  if (!offset_codes(x, 15, block.d, block.m, codes)) return false;
  pack_nibbles(codes, block.qs);
  return true;
}

bool to_q5_0(const float* x, BlockQ5_0& block) {
  int codes[kElements];
  if (!symmetric_codes(x, 16, block.d, codes)) return false;
  pack_nibbles(codes, block.qs);
  pack_fifth_bits(codes, block.qh);
  return true;
}

bool to_q5_1(const float* x, BlockQ5_1& block) {
  int codes[kElements];
  if (!offset_codes(x, 31, block.d, block.m, codes)) return false;
  pack_nibbles(codes, block.qs);
  pack_fifth_bits(codes, block.qh);
  return true;
}

// Rounds half away from zero. `d` is the scale before it is rounded to half.
bool eight_bit_codes(const float* x, float& d, int8_t (&codes)[32]) {
  if (!all_finite(x)) return false;
  d = std::fabs(first_extreme(x)) / 127.0f;
  if (!f16_is_finite(f32_to_f16(d))) return false;
  const float id = inverse(d);
  for (int j = 0; j < kElements; ++j) codes[j] = static_cast<int8_t>(std::round(x[j] * id));
  return true;
}

bool to_q8_0(const float* x, BlockQ8_0& block) {
  float d = 0;
  if (!eight_bit_codes(x, d, block.qs)) return false;
  block.d = f32_to_f16(d);
  return true;
}

bool to_q8_1(const float* x, BlockQ8_1& block) {
  float d = 0;
  if (!eight_bit_codes(x, d, block.qs)) return false;
  int sum = 0;
  for (const int8_t code : block.qs) sum += code;
  block.d = f32_to_f16(d);
  block.s = f32_to_f16(static_cast<float>(sum) * d);
  return f16_is_finite(block.s);
}

}  // namespace

size_t decode_q4_0(const std::byte* blocks, size_t count, float* out) {
  return decode_each<BlockQ4_0, kElements, from_scaled<BlockQ4_0>>(blocks, count, out);
}
size_t decode_q4_1(const std::byte* blocks, size_t count, float* out) {
  return decode_each<BlockQ4_1, kElements, from_shifted<BlockQ4_1>>(blocks, count, out);
}
size_t decode_q5_0(const std::byte* blocks, size_t count, float* out) {
  return decode_each<BlockQ5_0, kElements, from_scaled<BlockQ5_0>>(blocks, count, out);
}
size_t decode_q5_1(const std::byte* blocks, size_t count, float* out) {
  return decode_each<BlockQ5_1, kElements, from_shifted<BlockQ5_1>>(blocks, count, out);
}
size_t decode_q8_0(const std::byte* blocks, size_t count, float* out) {
  return decode_each<BlockQ8_0, kElements, from_scaled<BlockQ8_0>>(blocks, count, out);
}
size_t decode_q8_1(const std::byte* blocks, size_t count, float* out) {
  return decode_each<BlockQ8_1, kElements, from_q8_1>(blocks, count, out);
}
size_t decode_iq4_nl(const std::byte* blocks, size_t count, float* out) {
  return decode_each<BlockIQ4_NL, kElements, from_iq4_nl>(blocks, count, out);
}
size_t decode_mxfp4(const std::byte* blocks, size_t count, float* out) {
  return decode_each<BlockMXFP4, kElements, from_mxfp4>(blocks, count, out);
}

size_t encode_q4_0(const float* values, size_t count, std::byte* blocks) {
  return encode_each<BlockQ4_0, kElements, to_q4_0>(values, count, blocks);
}
size_t encode_q4_1(const float* values, size_t count, std::byte* blocks) {
  return encode_each<BlockQ4_1, kElements, to_q4_1>(values, count, blocks);
}
size_t encode_q5_0(const float* values, size_t count, std::byte* blocks) {
  return encode_each<BlockQ5_0, kElements, to_q5_0>(values, count, blocks);
}
size_t encode_q5_1(const float* values, size_t count, std::byte* blocks) {
  return encode_each<BlockQ5_1, kElements, to_q5_1>(values, count, blocks);
}
size_t encode_q8_0(const float* values, size_t count, std::byte* blocks) {
  return encode_each<BlockQ8_0, kElements, to_q8_0>(values, count, blocks);
}
size_t encode_q8_1(const float* values, size_t count, std::byte* blocks) {
  return encode_each<BlockQ8_1, kElements, to_q8_1>(values, count, blocks);
}

}  // namespace skein::quant::blocks32
