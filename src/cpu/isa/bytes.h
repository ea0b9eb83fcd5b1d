// Activations as layers with products of signed bytes keep them: high * 256 + low, the high bytes
// in the first plane, the low ones in the second. Included by them, in their namespace.
#pragma once

#include <cstddef>
#include <cstdint>

namespace skein::cpu::SK_ISA {

// Copies input k's activation to place j of other planes; whether it is not zero.
inline bool move_activation(const std::byte* first, const std::byte* second, int64_t k,
                            std::byte* to_first, std::byte* to_second, int64_t j) {
  to_first[j] = first[k];
  to_second[j] = second[k];
  return (first[k] | second[k]) != std::byte{};
}

}  // namespace skein::cpu::SK_ISA
