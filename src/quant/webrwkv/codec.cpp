#include "quant/webrwkv/codec.h"

#include <algorithm>
#include <cmath>

#include "quant/imports/nf4.h"
#include "quant/plain/bits.h"

namespace skein::quant::webrwkv {
namespace {

constexpr int kInt8Elements = 128;
constexpr int kNf4Elements = kNf4Block;

// One block as the tool sees it; false when a number has no finite half.
bool load_as_half(const float* values, int count, float* block) {
  bool finite = true;
  for (int i = 0; i < count; ++i) {
    const uint16_t half = f32_to_f16(values[i]);
    block[i] = f16_to_f32(half);
    finite = finite && f16_is_finite(half);
  }
  return finite;
}

bool from_int8(const BlockINT8& block, float* out) {
  if (!f16_is_finite(block.min) || !f16_is_finite(block.max)) return false;
  int8_values(block.qs, f16_to_f32(block.min), f16_to_f32(block.max), out);
  return true;
}

bool from_nf4(const BlockNF4& block, float* out) {
  if (!f16_is_finite(block.absmax)) return false;
  nf4_values(block.qs, f16_to_f32(block.absmax), out);
  return true;
}

}  // namespace

void int8_values(const uint8_t (&codes)[128], float min, float max, float* out) {
  const float range = max - min;
  for (int i = 0; i < kInt8Elements; ++i)
    out[i] = std::fma(static_cast<float>(codes[i]) / 255.0f, range, min);
}

void nf4_values(const uint8_t (&codes)[32], float absmax, float* out) {
  for (int i = 0; i < kNf4Elements; i += 2) {
    out[i] = kNf4Levels[codes[i / 2] & 15] * absmax;
    out[i + 1] = kNf4Levels[codes[i / 2] >> 4] * absmax;
  }
}

bool to_int8(const float* values, BlockINT8& block) {
  float x[kInt8Elements];
  if (!load_as_half(values, kInt8Elements, x)) return false;
  const auto [min, max] = std::minmax_element(x, x + kInt8Elements);
  const float low = *min;
  const float range = *max - low;
  block.min = f32_to_f16(low);
  block.max = f32_to_f16(*max);
  for (int i = 0; i < kInt8Elements; ++i) {
    // A constant block would be 0 / 0: every number is its minimum.
    const float place = range > 0 ? std::clamp((x[i] - low) / range, 0.0f, 1.0f) : 0.0f;
    block.qs[i] = static_cast<uint8_t>(place * 255.0f + 0.5f);
  }
  return true;
}

bool to_nf4(const float* values, BlockNF4& block) {
  float x[kNf4Elements];
  if (!load_as_half(values, kNf4Elements, x)) return false;
  float largest = 0;
  for (const float value : x) largest = std::max(largest, std::fabs(value));
  const float inverse = largest > 0 ? 1.0f / largest : 0.0f;
  block.absmax = f32_to_f16(largest);
  for (int i = 0; i < kNf4Elements; i += 2)
    block.qs[i / 2] =
        static_cast<uint8_t>(nearest_nf4(x[i] * inverse) | nearest_nf4(x[i + 1] * inverse) << 4);
  return true;
}

size_t decode_int8(const std::byte* blocks, size_t count, float* out) {
  return decode_each<BlockINT8, kInt8Elements, from_int8>(blocks, count, out);
}
size_t decode_nf4(const std::byte* blocks, size_t count, float* out) {
  return decode_each<BlockNF4, kNf4Elements, from_nf4>(blocks, count, out);
}
size_t encode_int8(const float* values, size_t count, std::byte* blocks) {
  return encode_each<BlockINT8, kInt8Elements, to_int8>(values, count, blocks);
}
size_t encode_nf4(const float* values, size_t count, std::byte* blocks) {
  return encode_each<BlockNF4, kNf4Elements, to_nf4>(values, count, blocks);
}

}  // namespace skein::quant::webrwkv
