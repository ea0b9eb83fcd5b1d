#include "quant/k/codec.h"

#include <algorithm>
#include <cmath>

#include "quant/k/bits.h"
#include "quant/plain/bits.h"

namespace skein::quant::k {
namespace {

constexpr int kElements = 256;

bool from_q2_k(const BlockQ2_K& block, float* out) {
  if (!f16_is_finite(block.d) || !f16_is_finite(block.dmin)) return false;
  const float d = f16_to_f32(block.d);
  const float dmin = f16_to_f32(block.dmin);
  int8_t codes[kElements];
  codes_of(block, codes);
  for (int i = 0; i < kElements; ++i) {
    const int scale = block.scales[i / 16];
    out[i] = d * static_cast<float>(scale & 15) * static_cast<float>(codes[i]) -
             dmin * static_cast<float>(scale >> 4);
  }
  return true;
}

bool from_q3_k(const BlockQ3_K& block, float* out) {
  if (!f16_is_finite(block.d)) return false;
  const float d = f16_to_f32(block.d);
  int8_t codes[kElements];
  codes_of(block, codes);
  for (int s = 0; s < 16; ++s) {
    const float scale = d * static_cast<float>(q3_k_scale(block.scales, s));
    for (int l = 16 * s; l < 16 * s + 16; ++l) out[l] = scale * static_cast<float>(codes[l]);
  }
  return true;
}

// Q4_K and Q5_K.
template <typename Block>
bool from_affine(const Block& block, float* out) {
  if (!f16_is_finite(block.d) || !f16_is_finite(block.dmin)) return false;
  const float d = f16_to_f32(block.d);
  const float dmin = f16_to_f32(block.dmin);
  int8_t codes[kElements];
  codes_of(block, codes);
  for (int g = 0; g < 8; ++g) {
    const float scale = d * static_cast<float>(q4_k_scale(block.scales, g));
    const float min = dmin * static_cast<float>(q4_k_min(block.scales, g));
    for (int l = 32 * g; l < 32 * g + 32; ++l) out[l] = scale * static_cast<float>(codes[l]) - min;
  }
  return true;
}

bool from_q6_k(const BlockQ6_K& block, float* out) {
  if (!f16_is_finite(block.d)) return false;
  const float d = f16_to_f32(block.d);
  int8_t codes[kElements];
  codes_of(block, codes);
  for (int i = 0; i < kElements; ++i)
    out[i] = d * static_cast<float>(block.scales[i / 16]) * static_cast<float>(codes[i]);
  return true;
}

bool from_q8_k(const BlockQ8_K& block, float* out) {
  if (!std::isfinite(block.d)) return false;
  bool finite = true;
  for (int i = 0; i < kElements; ++i) {
    out[i] = block.d * static_cast<float>(block.qs[i]);
    finite = finite && std::isfinite(out[i]);
  }
  return finite;
}

// Rounds half to even, unlike Q8_0: that is how the reference has it. The extreme gets -127.
bool to_q8_k(const float* x, BlockQ8_K& block) {
  float extreme = 0;
  for (int i = 0; i < kElements; ++i) {
    if (!std::isfinite(x[i])) return false;
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  }
  block = {};
  const float inverse = extreme != 0 ? -127.0f / extreme : 0.0f;
  // Numbers so small that the inverse overflows are zero here.
  if (inverse == 0 || !std::isfinite(inverse)) return true;
  block.d = 1.0f / inverse;
  for (int i = 0; i < kElements; ++i) {
    const int code = std::min(127, static_cast<int>(std::nearbyint(inverse * x[i])));
    block.qs[i] = static_cast<int8_t>(code);
    block.bsums[i / 16] = static_cast<int16_t>(block.bsums[i / 16] + code);
  }
  return true;
}

}  // namespace

size_t decode_q2_k(const std::byte* blocks, size_t count, float* out) {
  return decode_each<BlockQ2_K, kElements, from_q2_k>(blocks, count, out);
}
size_t decode_q3_k(const std::byte* blocks, size_t count, float* out) {
  return decode_each<BlockQ3_K, kElements, from_q3_k>(blocks, count, out);
}
size_t decode_q4_k(const std::byte* blocks, size_t count, float* out) {
  return decode_each<BlockQ4_K, kElements, from_affine<BlockQ4_K>>(blocks, count, out);
}
size_t decode_q5_k(const std::byte* blocks, size_t count, float* out) {
  return decode_each<BlockQ5_K, kElements, from_affine<BlockQ5_K>>(blocks, count, out);
}
size_t decode_q6_k(const std::byte* blocks, size_t count, float* out) {
  return decode_each<BlockQ6_K, kElements, from_q6_k>(blocks, count, out);
}
size_t decode_q8_k(const std::byte* blocks, size_t count, float* out) {
  return decode_each<BlockQ8_K, kElements, from_q8_k>(blocks, count, out);
}

size_t encode_q8_k(const float* values, size_t count, std::byte* blocks) {
  return encode_each<BlockQ8_K, kElements, to_q8_k>(values, count, blocks);
}

}  // namespace skein::quant::k
