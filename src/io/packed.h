// Skein's own packed file: a checked header and tensors that are mapped and used where they lie, in
// the order in which the CPU reads them. docs/formats.md has the layout byte by byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "tensor/stored.h"

namespace skein::io {

// The parts that the reader and the writer share.
namespace packed {

inline constexpr std::string_view kMagic = "SKEINPK1";
inline constexpr uint32_t kVersion = 1;
// Magic, version, flags, header bytes, file bytes, and the SHA-256 of those before it and the
// header.
inline constexpr uint64_t kHeadBytes = 64;
inline constexpr uint64_t kHashedHead = 32;
inline constexpr uint64_t kDataAlignment = 4096;  // of the first tensor
inline constexpr uint64_t kTensorAlignment = 64;  // of every other

constexpr uint64_t aligned(uint64_t at, uint64_t alignment) {
  return (at + alignment - 1) / alignment * alignment;
}

}  // namespace packed

bool is_packed(std::span<const std::byte> file);
Result<Container> read_packed(std::span<const std::byte> file);
// The tensors' checksums, which reading leaves out.
Status verify_packed(std::span<const std::byte> file);

}  // namespace skein::io
