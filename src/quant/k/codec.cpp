#include "quant/k/codec.h"

#include <algorithm>
#include <cmath>

#include "quant/k/bits.h"
#include "quant/plain/bits.h"

namespace skein::quant::k {
namespace {

constexpr int kElements = 256;

// Calls f(element, h, j, l) in element order.
template <typename F>
void each_element(F f) {
  for (int h = 0; h < 2; ++h)
    for (int j = 0; j < 4; ++j)
      for (int l = 0; l < 32; ++l) f(128 * h + 32 * j + l, h, j, l);
}

bool from_q2_k(const BlockQ2_K& block, float* out) {
  if (!f16_is_finite(block.d) || !f16_is_finite(block.dmin)) return false;
  const float d = f16_to_f32(block.d);
  const float dmin = f16_to_f32(block.dmin);
  each_element([&](int i, int h, int j, int l) {
    const int scale = block.scales[i / 16];
    const int code = (block.qs[32 * h + l] >> (2 * j)) & 3;
    out[i] = d * static_cast<float>(scale & 15) * static_cast<float>(code) -
             dmin * static_cast<float>(scale >> 4);
  });
  return true;
}

bool from_q3_k(const BlockQ3_K& block, float* out) {
  if (!f16_is_finite(block.d)) return false;
  const float d = f16_to_f32(block.d);
  each_element([&](int i, int h, int j, int l) {
    const int low = (block.qs[32 * h + l] >> (2 * j)) & 3;
    const int high = (block.hmask[l] >> (4 * h + j)) & 1;
    const int code = low + 4 * high - 4;
    out[i] = d * static_cast<float>(q3_k_scale(block.scales, i / 16)) * static_cast<float>(code);
  });
  return true;
}

bool from_q4_k(const BlockQ4_K& block, float* out) {
  if (!f16_is_finite(block.d) || !f16_is_finite(block.dmin)) return false;
  const float d = f16_to_f32(block.d);
  const float dmin = f16_to_f32(block.dmin);
  for (int g = 0; g < 8; ++g) {
    const float scale = d * static_cast<float>(q4_k_scale(block.scales, g));
    const float min = dmin * static_cast<float>(q4_k_min(block.scales, g));
    for (int l = 0; l < 32; ++l) {
      const int code = (block.qs[32 * (g / 2) + l] >> (4 * (g & 1))) & 15;
      out[32 * g + l] = scale * static_cast<float>(code) - min;
    }
  }
  return true;
}

bool from_q5_k(const BlockQ5_K& block, float* out) {
  if (!f16_is_finite(block.d) || !f16_is_finite(block.dmin)) return false;
  const float d = f16_to_f32(block.d);
  const float dmin = f16_to_f32(block.dmin);
  for (int g = 0; g < 8; ++g) {
    const float scale = d * static_cast<float>(q4_k_scale(block.scales, g));
    const float min = dmin * static_cast<float>(q4_k_min(block.scales, g));
    for (int l = 0; l < 32; ++l) {
      const int low = (block.qs[32 * (g / 2) + l] >> (4 * (g & 1))) & 15;
      const int code = low | ((block.qh[l] >> g) & 1) << 4;
      out[32 * g + l] = scale * static_cast<float>(code) - min;
    }
  }
  return true;
}

bool from_q6_k(const BlockQ6_K& block, float* out) {
  if (!f16_is_finite(block.d)) return false;
  const float d = f16_to_f32(block.d);
  each_element([&](int i, int h, int j, int l) {
    const int low = (block.ql[64 * h + 32 * (j & 1) + l] >> (4 * (j >> 1))) & 15;
    const int high = (block.qh[32 * h + l] >> (2 * j)) & 3;
    const int code = (low | high << 4) - 32;
    out[i] = d * static_cast<float>(block.scales[i / 16]) * static_cast<float>(code);
  });
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
  return decode_each<BlockQ4_K, kElements, from_q4_k>(blocks, count, out);
}
size_t decode_q5_k(const std::byte* blocks, size_t count, float* out) {
  return decode_each<BlockQ5_K, kElements, from_q5_k>(blocks, count, out);
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
