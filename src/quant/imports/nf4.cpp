#include "quant/imports/nf4.h"

#include <cmath>

namespace skein::quant {

uint8_t nearest_nf4(float value) {
  int best = 0;
  for (int level = 1; level < 16; ++level)
    if (std::fabs(kNf4Levels[level] - value) <= std::fabs(kNf4Levels[best] - value)) best = level;
  return static_cast<uint8_t>(best);
}

}  // namespace skein::quant
