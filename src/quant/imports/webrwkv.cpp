#include "quant/imports/webrwkv.h"

#include <algorithm>
#include <cmath>

#include "quant/imports/nf4.h"
#include "quant/plain/bits.h"

namespace skein::quant {
namespace {

Status check_sizes(const char* scheme, size_t numbers, size_t block, size_t codes,
                   size_t codes_wanted, size_t scales, size_t scales_a_block) {
  if (numbers % block != 0 || codes != codes_wanted || scales != numbers / block * scales_a_block)
    return fail(Code::argument, "web-rwkv {}: {} codes and {} scales do not make {} numbers",
                scheme, codes, scales, numbers);
  return {};
}

Status check_finite(const char* scheme, std::span<const float> scales) {
  for (size_t i = 0; i < scales.size(); ++i)
    if (!std::isfinite(scales[i]))
      return fail(Code::corrupt, "web-rwkv {}: scale {} is not finite", scheme, i);
  return {};
}

// One block as the tool sees it; false when a number has no finite half.
bool load_as_half(std::span<const float> values, float* block) {
  for (size_t i = 0; i < values.size(); ++i) {
    block[i] = f16_to_f32(f32_to_f16(values[i]));
    if (!std::isfinite(block[i])) return false;
  }
  return true;
}

}  // namespace

Status decode_webrwkv_int8(std::span<const uint8_t> codes, std::span<const float> minmax,
                           std::span<float> out) {
  SK_TRY_STATUS(check_sizes("INT8", out.size(), kWebRwkvInt8Block, codes.size(), out.size(),
                            minmax.size(), 2));
  SK_TRY_STATUS(check_finite("INT8", minmax));
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t block = i / kWebRwkvInt8Block;
    const float min = minmax[2 * block];
    const float range = minmax[2 * block + 1] - min;
    out[i] = std::fma(static_cast<float>(codes[i]) / 255.0f, range, min);
  }
  return {};
}

Status decode_webrwkv_nf4(std::span<const uint8_t> codes, std::span<const float> absmax,
                          std::span<float> out) {
  SK_TRY_STATUS(
      check_sizes("NF4", out.size(), kNf4Block, codes.size(), out.size() / 2, absmax.size(), 1));
  SK_TRY_STATUS(check_finite("NF4", absmax));
  for (size_t i = 0; i < out.size(); ++i) {
    const int code = (codes[i / 2] >> (4 * (i % 2))) & 15;
    out[i] = kNf4Levels[code] * absmax[i / kNf4Block];
  }
  return {};
}

Status encode_webrwkv_int8(std::span<const float> values, std::span<uint8_t> codes,
                           std::span<uint16_t> minmax) {
  SK_TRY_STATUS(check_sizes("INT8", values.size(), kWebRwkvInt8Block, codes.size(), values.size(),
                            minmax.size(), 2));
  for (size_t start = 0; start < values.size(); start += kWebRwkvInt8Block) {
    const size_t block = start / kWebRwkvInt8Block;
    float x[kWebRwkvInt8Block];
    if (!load_as_half(values.subspan(start, kWebRwkvInt8Block), x))
      return fail(Code::argument, "web-rwkv INT8: block {} has a number beyond f16", block);
    const auto [min, max] = std::minmax_element(x, x + kWebRwkvInt8Block);
    const float range = *max - *min;
    for (int i = 0; i < kWebRwkvInt8Block; ++i) {
      // A constant block would be 0 / 0: every number is its minimum.
      const float place = range > 0 ? std::clamp((x[i] - *min) / range, 0.0f, 1.0f) : 0.0f;
      codes[start + static_cast<size_t>(i)] =
          static_cast<uint8_t>(std::floor(place * 255.0f + 0.5f));
    }
    minmax[2 * block] = f32_to_f16(*min);
    minmax[2 * block + 1] = f32_to_f16(*max);
  }
  return {};
}

Status encode_webrwkv_nf4(std::span<const float> values, std::span<uint8_t> codes,
                          std::span<uint16_t> absmax) {
  SK_TRY_STATUS(check_sizes("NF4", values.size(), kNf4Block, codes.size(), values.size() / 2,
                            absmax.size(), 1));
  for (size_t start = 0; start < values.size(); start += kNf4Block) {
    const size_t block = start / kNf4Block;
    float x[kNf4Block];
    if (!load_as_half(values.subspan(start, kNf4Block), x))
      return fail(Code::argument, "web-rwkv NF4: block {} has a number beyond f16", block);
    float largest = 0;
    for (const float value : x) largest = std::max(largest, std::fabs(value));
    const float inverse = largest > 0 ? 1.0f / largest : 0.0f;
    for (int i = 0; i < kNf4Block; i += 2)
      codes[(start + static_cast<size_t>(i)) / 2] =
          static_cast<uint8_t>(nearest_nf4(x[i] * inverse) | nearest_nf4(x[i + 1] * inverse) << 4);
    absmax[block] = f32_to_f16(largest);
  }
  return {};
}

}  // namespace skein::quant
