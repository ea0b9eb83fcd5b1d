#include "quant/iq/codec.h"

#include "quant/blocks32/bits.h"
#include "quant/iq/bits.h"
#include "quant/plain/bits.h"

namespace skein::quant::iq {
namespace {

constexpr int kElements = 256;

bool from_iq4_xs(const BlockIQ4_XS& block, float* out) {
  if (!f16_is_finite(block.d)) return false;
  const float d = f16_to_f32(block.d);
  int8_t codes[kElements];
  codes_of(block, codes);
  for (int g = 0; g < 8; ++g) {
    const float scale = d * static_cast<float>(iq4_xs_scale(block, g));
    for (int l = 32 * g; l < 32 * g + 32; ++l)
      out[l] = scale * static_cast<float>(kIq4Levels[codes[l]]);
  }
  return true;
}

}  // namespace

size_t decode_iq4_xs(const std::byte* blocks, size_t count, float* out) {
  return decode_each<BlockIQ4_XS, kElements, from_iq4_xs>(blocks, count, out);
}

}  // namespace skein::quant::iq
