// The owner of a block of numbers: aligned, zeroed, on huge pages where the system gives them.
#pragma once

#include <cstddef>
#include <span>

#include "base/error.h"

namespace skein {

class Buffer {
 public:
  Buffer() = default;
  // Error: memory. `bytes` may be 0. Pages are touched by whoever writes them first.
  static Result<Buffer> make(size_t bytes);
  // What a buffer of so many takes once all of it has been written: whole pages, huge ones where it
  // is large enough for them.
  static size_t resident(size_t bytes);
  // The pages that one of so many consists of.
  static size_t page(size_t bytes);

  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  float* floats() const { return reinterpret_cast<float*>(data_); }

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  size_t mapped_ = 0;
};

}  // namespace skein
