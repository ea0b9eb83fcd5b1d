// SHA-256 (libcrypto) and CRC-32 (zlib); hash.cpp is the one file that knows either library.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace skein {

using Digest = std::array<std::byte, 32>;

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  Digest finish();  // once

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Digest sha256(std::span<const std::byte> bytes);
std::string hex(std::span<const std::byte> bytes);

// The checksum of zip entries. `before` is that of the bytes before these.
uint32_t crc32(std::span<const std::byte> bytes, uint32_t before = 0);

}  // namespace skein
