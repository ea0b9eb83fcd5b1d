// Memory that begins where a vector register's load does.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace skein {

// For standard containers. 64 bytes is a cache line and the widest vector.
template <typename T>
struct AlignedAllocator {
  using value_type = T;
  static constexpr std::align_val_t kAlign{64};

  AlignedAllocator() = default;
  template <typename U>
  AlignedAllocator(const AlignedAllocator<U>&) {}  // NOLINT: containers convert it
  T* allocate(size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), kAlign)); }
  void deallocate(T* place, size_t) { ::operator delete(place, kAlign); }
  bool operator==(const AlignedAllocator&) const = default;
};

template <typename T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

}  // namespace skein
