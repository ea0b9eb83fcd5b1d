// Where the writers put their bytes: a file, memory, or nowhere to learn how many there are.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file_writer.h"
#include "base/pool.h"
#include "io/model_writer.h"

namespace skein::io {

// A record under construction, little-endian.
class Bytes {
 public:
  template <typename T>
  void number(T value) {
    append(std::as_bytes(std::span(&value, 1)));
  }
  void text(std::string_view text) { append(std::as_bytes(std::span(text))); }
  void append(std::span<const std::byte> part);
  void fill(size_t count, char byte) { bytes_.insert(bytes_.end(), count, std::byte(byte)); }
  size_t size() const { return bytes_.size(); }
  std::span<const std::byte> view() const { return bytes_; }
  std::vector<std::byte> take() && { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

class Sink {
 public:
  virtual ~Sink() = default;
  uint64_t at() const { return at_; }

  Status append(std::span<const std::byte> part) {
    at_ += part.size();
    return put(part);
  }
  Status append(const Bytes& record) { return append(record.view()); }
  // Zeros up to the next multiple of `alignment`.
  Status align(uint64_t alignment);
  // Appends the numbers of a tensor that check_output has passed, and gives the bytes' CRC-32.
  virtual Result<uint32_t> tensor(const OutputTensor& tensor);
  // Over bytes that were appended before: what only their successors tell.
  virtual Status replace(uint64_t at, std::span<const std::byte> part) = 0;

 protected:
  virtual Status put(std::span<const std::byte> part) = 0;
  void skip(uint64_t bytes) { at_ += bytes; }
  Pool* pool_ = nullptr;  // whose threads encode

 private:
  uint64_t at_ = 0;
};

// Counts, and reads no weight.
class CountingSink final : public Sink {
 public:
  Result<uint32_t> tensor(const OutputTensor& tensor) override;
  Status replace(uint64_t, std::span<const std::byte>) override { return {}; }

 private:
  Status put(std::span<const std::byte>) override { return {}; }
};

class MemorySink final : public Sink {
 public:
  Status replace(uint64_t at, std::span<const std::byte> part) override;
  std::vector<std::byte> take() && { return std::move(bytes_); }

 private:
  Status put(std::span<const std::byte> part) override;
  std::vector<std::byte> bytes_;
};

OutputOptions output_options(uint64_t bytes, const WriteOptions& options);

// Asks WriteOptions::progress a few times a second whether to go on.
class Telling {
 public:
  Telling(uint64_t total, const WriteOptions& options) : total_(total), options_(options) {}
  Status tell(uint64_t done);

 private:
  uint64_t total_;
  const WriteOptions& options_;
  std::chrono::steady_clock::time_point told_ = std::chrono::steady_clock::now();
};

// Bytes that come over others, and where.
struct Patch {
  uint64_t at = 0;
  std::vector<std::byte> bytes;
};

// Does all the work and keeps only what was replaced: what a stream has to be given in time.
class RehearsalSink final : public Sink {
 public:
  RehearsalSink(uint64_t total, const WriteOptions& options, Pool* pool);
  Status replace(uint64_t at, std::span<const std::byte> part) override;
  std::vector<Patch> take() &&;  // by their places

 private:
  Status put(std::span<const std::byte> part) override;

  Telling telling_;
  std::vector<Patch> patches_;
};

class FileSink final : public Sink {
 public:
  // For a stream, `patches` are what a rehearsal learnt, and replace() does nothing.
  FileSink(FileWriter writer, uint64_t total, const WriteOptions& options, Pool* pool,
           std::vector<Patch> patches = {});
  Status replace(uint64_t at, std::span<const std::byte> part) override;
  // Error: io (WriteOptions::intact, or the disk).
  Status commit();

 private:
  Status put(std::span<const std::byte> part) override;

  FileWriter writer_;
  Telling telling_;
  const WriteOptions& options_;
  std::vector<Patch> patches_;
  size_t next_ = 0;  // of the patches
};

}  // namespace skein::io
