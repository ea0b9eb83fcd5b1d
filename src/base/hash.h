// SHA-256 and SHA-1 (libcrypto, which only hash.cpp knows), CRC-32 (zlib).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace skein {

using Digest = std::array<std::byte, 32>;

// Takes no memory beyond itself and cannot fail.
class Sha256 {
 public:
  Sha256();

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  Digest finish();  // once

 private:
  alignas(8) std::array<std::byte, 112> context_{};  // libcrypto's
};

// For what others name by it, as git does; nothing of ours is.
class Sha1 {
 public:
  Sha1();

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  std::array<std::byte, 20> finish();  // once

 private:
  alignas(8) std::array<std::byte, 96> context_{};  // libcrypto's
};

Digest sha256(std::span<const std::byte> bytes);
// Takes as long wherever they differ.
bool equal_digests(const Digest& a, const Digest& b);
std::string hex(std::span<const std::byte> bytes);

// The checksum of zip entries. `before` is that of the bytes before these.
uint32_t crc32(std::span<const std::byte> bytes, uint32_t before = 0);

}  // namespace skein
