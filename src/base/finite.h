// Whether numbers are numbers: no infinity, no NaN.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace skein {

// By its bits.
constexpr bool is_finite(uint32_t bits) { return (bits & 0x7f800000) != 0x7f800000; }

// No way out of the loop, so that it becomes a vector's: it runs at the speed of memory.
inline bool all_finite(std::span<const float> numbers) {
  uint32_t strange = 0;
  for (const float number : numbers)
    strange |= is_finite(std::bit_cast<uint32_t>(number)) ? 0u : 1u;
  return strange == 0;
}

}  // namespace skein
