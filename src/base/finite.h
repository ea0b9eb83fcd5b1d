// Whether numbers are numbers: no infinity, no NaN.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace skein {

// No way out of the loop, so that it becomes a vector's: it runs at the speed of memory.
inline bool all_finite(std::span<const float> numbers) {
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t strange = 0;
  for (const float number : numbers)
    strange |= (std::bit_cast<uint32_t>(number) & kExponent) == kExponent ? 1u : 0u;
  return strange == 0;
}

}  // namespace skein
