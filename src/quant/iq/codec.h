#pragma once

#include "quant/table.h"

namespace skein::quant::iq {

size_t decode_iq4_xs(const std::byte* blocks, size_t count, float* out);

size_t encode_iq4_xs(const float* values, size_t count, std::byte* blocks);
// Its blocks are those of blocks32; its search is that of IQ4_XS.
size_t encode_iq4_nl(const float* values, size_t count, std::byte* blocks);

}  // namespace skein::quant::iq
