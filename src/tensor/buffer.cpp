#include "tensor/buffer.h"

#include <sys/mman.h>

#include <utility>

namespace skein {
namespace {
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kPage = 4096;
}  // namespace

size_t Buffer::page(size_t bytes) { return bytes >= kHugePage ? kHugePage : kPage; }

size_t Buffer::resident(size_t bytes) {
  const size_t unit = page(bytes);
  return (bytes + unit - 1) / unit * unit;
}

Result<Buffer> Buffer::make(size_t bytes) {
  Buffer buffer;
  if (bytes == 0) return buffer;
  // Under transparent huge pages only a range that begins on a 2 MiB border gets them, so large
  // buffers map one huge page more than they need and give the ends back.
  const bool huge = page(bytes) == kHugePage;
  const size_t mapped = resident(bytes);
  const size_t asked = huge ? mapped + kHugePage : mapped;
  void* base = ::mmap(nullptr, asked, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) return fail(Code::memory, "no memory for {} bytes", bytes);
  auto* data = static_cast<std::byte*>(base);
  if (huge) {
    const auto address = reinterpret_cast<uintptr_t>(base);
    const size_t before = (kHugePage - address % kHugePage) % kHugePage;
    if (before) ::munmap(data, before);
    data += before;
    if (const size_t after = asked - before - mapped) ::munmap(data + mapped, after);
    // 4 KiB pages cost a quarter to a half of a core's read bandwidth on the 2-core Xeon this was
    // written on; where huge pages are off the call fails and the buffer works all the same.
    ::madvise(data, mapped, MADV_HUGEPAGE);
  }
  buffer.data_ = data;
  buffer.size_ = bytes;
  buffer.mapped_ = mapped;
  return buffer;
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapped_(std::exchange(other.mapped_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

Buffer::~Buffer() {
  if (data_) ::munmap(data_, mapped_);
}

}  // namespace skein
