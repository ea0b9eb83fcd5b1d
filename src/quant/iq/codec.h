#pragma once

#include "quant/table.h"

namespace skein::quant::iq {

size_t decode_iq4_xs(const std::byte* blocks, size_t count, float* out);

}  // namespace skein::quant::iq
