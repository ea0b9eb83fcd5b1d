#include "io/sink.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/hash.h"
#include "io/output_tensor.h"

namespace skein::io {
namespace {

// Between two looks at the progress callback: by time, as a megabyte may take a second to encode.
constexpr std::chrono::milliseconds kTellEvery{100};

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

OutputOptions output_options(uint64_t bytes, const WriteOptions& options) {
  return {.bytes = bytes, .existing = options.overwrite ? Existing::force : Existing::keep};
}

Status Telling::tell(uint64_t done) {
  if (!options_.progress) return {};
  const auto now = std::chrono::steady_clock::now();
  if (done != total_ && now - told_ < kTellEvery) return {};
  told_ = now;
  if (options_.progress(done, total_)) return {};
  return fail(Code::io, "interrupted while writing");
}

RehearsalSink::RehearsalSink(uint64_t total, const WriteOptions& options, Pool* pool)
    : telling_(total, options) {
  pool_ = pool;
}

Status RehearsalSink::put(std::span<const std::byte>) { return telling_.tell(0); }

Status RehearsalSink::replace(uint64_t at, std::span<const std::byte> part) {
  patches_.push_back({at, {part.begin(), part.end()}});
  return {};
}

std::vector<Patch> RehearsalSink::take() && {
  std::sort(patches_.begin(), patches_.end(),
            [](const Patch& a, const Patch& b) { return a.at < b.at; });
  return std::move(patches_);
}

FileSink::FileSink(FileWriter writer, uint64_t total, const WriteOptions& options, Pool* pool,
                   std::vector<Patch> patches)
    : writer_(std::move(writer)),
      telling_(total, options),
      options_(options),
      patches_(std::move(patches)) {
  pool_ = pool;
}

Status FileSink::put(std::span<const std::byte> part) {
  const uint64_t end = at(), begin = end - part.size();
  std::vector<std::byte> patched;
  for (size_t i = next_; i < patches_.size() && patches_[i].at < end; ++i) {
    const Patch& patch = patches_[i];
    const uint64_t patch_end = patch.at + patch.bytes.size();
    const uint64_t first = std::max(begin, patch.at), last = std::min(end, patch_end);
    if (patch_end <= end) next_ = i + 1;
    if (first >= last) continue;
    if (patched.empty()) patched.assign(part.begin(), part.end());
    std::memcpy(patched.data() + (first - begin), patch.bytes.data() + (first - patch.at),
                last - first);
  }
  SK_TRY_STATUS(writer_.append(patched.empty() ? part : std::span<const std::byte>(patched)));
  return telling_.tell(end);
}

Status FileSink::commit() {
  if (options_.intact && !options_.intact())
    return fail(Code::io, "the source became shorter while it was read; {}",
                writer_.is_stream() ? "what was written is wrong" : "nothing was written");
  return writer_.commit();
}

Status FileSink::replace(uint64_t at, std::span<const std::byte> part) {
  return writer_.is_stream() ? Status() : writer_.replace(at, part);
}

}  // namespace skein::io
