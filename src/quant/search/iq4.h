// The sixteen levels of IQ4_NL and IQ4_XS for the search of scaled.h. Private to quant.
#pragma once

#include "quant/blocks32/bits.h"
#include "quant/search/scaled.h"

namespace skein::quant::search {

struct Iq4 {
  static constexpr float kTrials[] = {-133, -130, -127, -124, -121, -118, -115, -112,
                                      -109, -106, -103, -100, 92,   95,   98,   101,
                                      104,  107,  110,  113,  116,  119,  122,  125};

  // Counts the midpoints below: no table look-up, which would not vectorise.
  template <typename T>
  static T nearest(T value) {
    T level = T{} + static_cast<float>(kIq4Levels[0]);
    for (int i = 0; i < 15; ++i)
      level += value > T{} + middle(i) ? T{} + (2 * (middle(i) - kIq4Levels[i])) : T{};
    return level;
  }

  static uint8_t code_of(float level) {
    const auto found = std::lower_bound(kIq4Levels, kIq4Levels + 16, static_cast<int8_t>(level));
    return static_cast<uint8_t>(found - kIq4Levels);
  }

 private:
  static constexpr float middle(int i) {
    return static_cast<float>(kIq4Levels[i] + kIq4Levels[i + 1]) / 2;
  }
};

}  // namespace skein::quant::search
