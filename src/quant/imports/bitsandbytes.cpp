#include "quant/imports/bitsandbytes.h"

#include <algorithm>
#include <cmath>

#include "quant/imports/nf4.h"

namespace skein::quant {
namespace {

size_t parts(size_t whole, size_t part) { return whole / part + (whole % part != 0 ? 1 : 0); }

Status check_sizes(size_t numbers, size_t codes, size_t scales) {
  if (codes != parts(numbers, 2) || scales != parts(numbers, kNf4Block))
    return fail(Code::argument, "bitsandbytes NF4: {} bytes and {} scales do not make {} numbers",
                codes, scales, numbers);
  return {};
}

Status decode_block(std::span<const uint8_t> codes, size_t block, float absmax,
                    std::span<float> out) {
  if (!std::isfinite(absmax))
    return fail(Code::corrupt, "bitsandbytes NF4: the scale of block {} is not finite", block);
  const size_t end = std::min(out.size(), (block + 1) * kNf4Block);
  for (size_t i = block * kNf4Block; i < end; ++i) {
    const int code = (codes[i / 2] >> (i % 2 == 0 ? 4 : 0)) & 15;
    out[i] = kNf4Levels[code] * absmax;
  }
  return {};
}

}  // namespace

Status decode_bnb_nf4(std::span<const uint8_t> codes, std::span<const float> absmax,
                      std::span<float> out) {
  SK_TRY_STATUS(check_sizes(out.size(), codes.size(), absmax.size()));
  for (size_t block = 0; block < absmax.size(); ++block)
    SK_TRY_STATUS(decode_block(codes, block, absmax[block], out));
  return {};
}

Status decode_bnb_nf4_double(std::span<const uint8_t> codes, const BnbDoubleScales& scales,
                             std::span<float> out) {
  SK_TRY_STATUS(check_sizes(out.size(), codes.size(), scales.codes.size()));
  if (scales.table.size() != 256 ||
      scales.absmax2.size() != parts(scales.codes.size(), kBnbScaleBlock))
    return fail(Code::argument, "bitsandbytes NF4: a table of {} and {} scales for {} scale codes",
                scales.table.size(), scales.absmax2.size(), scales.codes.size());
  for (size_t block = 0; block < scales.codes.size(); ++block) {
    const float product =
        scales.table[scales.codes[block]] * scales.absmax2[block / kBnbScaleBlock];
    SK_TRY_STATUS(decode_block(codes, block, product + scales.offset, out));
  }
  return {};
}

}  // namespace skein::quant
