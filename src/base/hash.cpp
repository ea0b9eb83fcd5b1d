#include "base/hash.h"

// The functions that work on a context of the caller's: they are called old-fashioned, but those
// that replace them allocate, and libcrypto 3 does not survive every failure of that.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <zlib.h>

#include <algorithm>

namespace skein {
namespace {

SHA256_CTX* sha(std::span<std::byte> context) {
  return reinterpret_cast<SHA256_CTX*>(context.data());
}

SHA_CTX* sha1(std::span<std::byte> context) { return reinterpret_cast<SHA_CTX*>(context.data()); }

}  // namespace

Sha256::Sha256() {
  static_assert(sizeof(SHA256_CTX) <= sizeof(context_) && alignof(SHA256_CTX) <= 8);
  SHA256_Init(sha(context_));
}

void Sha256::update(std::span<const std::byte> bytes) {
  SHA256_Update(sha(context_), bytes.data(), bytes.size());
}

void Sha256::update(std::string_view text) { update(std::as_bytes(std::span(text))); }

Digest Sha256::finish() {
  Digest digest;
  SHA256_Final(reinterpret_cast<unsigned char*>(digest.data()), sha(context_));
  return digest;
}

Sha1::Sha1() {
  static_assert(sizeof(SHA_CTX) <= sizeof(context_) && alignof(SHA_CTX) <= 8);
  SHA1_Init(sha1(context_));
}

void Sha1::update(std::span<const std::byte> bytes) {
  SHA1_Update(sha1(context_), bytes.data(), bytes.size());
}

void Sha1::update(std::string_view text) { update(std::as_bytes(std::span(text))); }

std::array<std::byte, 20> Sha1::finish() {
  std::array<std::byte, 20> digest;
  SHA1_Final(reinterpret_cast<unsigned char*>(digest.data()), sha1(context_));
  return digest;
}

Digest sha256(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

bool equal_digests(const Digest& a, const Digest& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string hex(std::span<const std::byte> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    out += kDigits[std::to_integer<unsigned>(byte) >> 4];
    out += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return out;
}

uint32_t crc32(std::span<const std::byte> bytes, uint32_t before) {
  constexpr size_t kPart = size_t{1} << 30;  // zlib counts in unsigned int
  unsigned long crc = before;
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(bytes.size(), kPart));
    crc = ::crc32(crc, reinterpret_cast<const Bytef*>(part.data()), static_cast<uInt>(part.size()));
    bytes = bytes.subspan(part.size());
  }
  return static_cast<uint32_t>(crc);
}

}  // namespace skein
