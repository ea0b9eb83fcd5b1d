// Activations as the scalar and the AVX2 layer keep them: 16-bit numbers, of each quad inputs 0 and
// 2 in the first plane, 1 and 3 in the second. Included by both, in their namespace.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace skein::cpu::SK_ISA {

// Copies input k's activation to place j of other planes; whether it is not zero.
inline bool move_activation(const std::byte* first, const std::byte* second, int64_t k,
                            std::byte* to_first, std::byte* to_second, int64_t j) {
  uint16_t x;
  std::memcpy(&x, (k % 2 ? second : first) + k / 4 * 4 + k % 4 / 2 * 2, 2);
  std::memcpy((j % 2 ? to_second : to_first) + j / 4 * 4 + j % 4 / 2 * 2, &x, 2);
  return x != 0;
}

}  // namespace skein::cpu::SK_ISA
