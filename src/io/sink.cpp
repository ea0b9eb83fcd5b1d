#include "io/sink.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/hash.h"
#include "io/output_tensor.h"

namespace skein::io {
namespace {

// Between two looks at the progress callback: a few a second on a slow disk.
constexpr uint64_t kTellEvery = uint64_t{8} << 20;

}  // namespace

// Not inline: g++ 12 then warns of overflows that cannot happen (its bug 105329).
void Bytes::append(std::span<const std::byte> part) {
  bytes_.insert(bytes_.end(), part.begin(), part.end());
}

Status Sink::align(uint64_t alignment) {
  static constexpr std::array<std::byte, 4096> kZeros{};
  SK_CHECK(alignment <= kZeros.size());
  const uint64_t past = at_ % alignment;
  return past == 0 ? Status() : append(std::span(kZeros).first(alignment - past));
}

Result<uint32_t> Sink::tensor(const OutputTensor& tensor) {
  uint32_t crc = 0;
  SK_TRY_STATUS(stream_output(tensor, pool_, [&](std::span<const std::byte> part) {
    crc = crc32(part, crc);
    return append(part);
  }));
  return crc;
}

Result<uint32_t> CountingSink::tensor(const OutputTensor& tensor) {
  SK_TRY(const uint64_t bytes, output_bytes(tensor));
  skip(bytes);
  return 0;
}

Status MemorySink::put(std::span<const std::byte> part) {
  bytes_.insert(bytes_.end(), part.begin(), part.end());
  return {};
}

Status MemorySink::replace(uint64_t at, std::span<const std::byte> part) {
  std::memcpy(bytes_.data() + at, part.data(), part.size());
  return {};
}

FileSink::FileSink(FileWriter writer, uint64_t total, const WriteOptions& options, Pool* pool)
    : writer_(std::move(writer)), total_(total), options_(options) {
  pool_ = pool;
}

Status FileSink::put(std::span<const std::byte> part) {
  SK_TRY_STATUS(writer_.append(part));
  if (options_.progress && (at() == total_ || at() - told_ >= kTellEvery)) {
    told_ = at();
    if (!options_.progress(at(), total_)) return fail(Code::io, "interrupted while writing");
  }
  return {};
}

Status FileSink::commit() {
  if (options_.intact && !options_.intact())
    return fail(Code::io, "the source became shorter while it was read; nothing was written");
  return writer_.commit();
}

Status FileSink::replace(uint64_t at, std::span<const std::byte> part) {
  return writer_.replace(at, part);
}

}  // namespace skein::io
