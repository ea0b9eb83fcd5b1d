#include "quant/imports/webrwkv.h"

#include <algorithm>
#include <cmath>

#include "quant/imports/nf4.h"
#include "quant/webrwkv/codec.h"

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

}  // namespace

Status decode_webrwkv_int8(std::span<const uint8_t> codes, std::span<const float> minmax,
                           std::span<float> out) {
  SK_TRY_STATUS(check_sizes("INT8", out.size(), kWebRwkvInt8Block, codes.size(), out.size(),
                            minmax.size(), 2));
  SK_TRY_STATUS(check_finite("INT8", minmax));
  for (size_t block = 0; block < minmax.size() / 2; ++block) {
    uint8_t qs[kWebRwkvInt8Block];
    std::copy_n(codes.data() + block * sizeof(qs), sizeof(qs), qs);
    webrwkv::int8_values(qs, minmax[2 * block], minmax[2 * block + 1],
                         out.data() + block * sizeof(qs));
  }
  return {};
}

Status decode_webrwkv_nf4(std::span<const uint8_t> codes, std::span<const float> absmax,
                          std::span<float> out) {
  SK_TRY_STATUS(
      check_sizes("NF4", out.size(), kNf4Block, codes.size(), out.size() / 2, absmax.size(), 1));
  SK_TRY_STATUS(check_finite("NF4", absmax));
  for (size_t block = 0; block < absmax.size(); ++block) {
    uint8_t qs[kNf4Block / 2];
    std::copy_n(codes.data() + block * sizeof(qs), sizeof(qs), qs);
    webrwkv::nf4_values(qs, absmax[block], out.data() + block * kNf4Block);
  }
  return {};
}

Status encode_webrwkv_int8(std::span<const float> values, std::span<uint8_t> codes,
                           std::span<uint16_t> minmax) {
  SK_TRY_STATUS(check_sizes("INT8", values.size(), kWebRwkvInt8Block, codes.size(), values.size(),
                            minmax.size(), 2));
  for (size_t block = 0; block < minmax.size() / 2; ++block) {
    BlockINT8 encoded;
    if (!webrwkv::to_int8(values.data() + block * kWebRwkvInt8Block, encoded))
      return fail(Code::argument, "web-rwkv INT8: block {} has a number beyond f16", block);
    std::copy_n(encoded.qs, sizeof(encoded.qs), codes.data() + block * sizeof(encoded.qs));
    minmax[2 * block] = encoded.min;
    minmax[2 * block + 1] = encoded.max;
  }
  return {};
}

Status encode_webrwkv_nf4(std::span<const float> values, std::span<uint8_t> codes,
                          std::span<uint16_t> absmax) {
  SK_TRY_STATUS(check_sizes("NF4", values.size(), kNf4Block, codes.size(), values.size() / 2,
                            absmax.size(), 1));
  for (size_t block = 0; block < absmax.size(); ++block) {
    BlockNF4 encoded;
    if (!webrwkv::to_nf4(values.data() + block * kNf4Block, encoded))
      return fail(Code::argument, "web-rwkv NF4: block {} has a number beyond f16", block);
    std::copy_n(encoded.qs, sizeof(encoded.qs), codes.data() + block * sizeof(encoded.qs));
    absmax[block] = encoded.absmax;
  }
  return {};
}

}  // namespace skein::quant
