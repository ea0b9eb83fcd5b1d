// Counts every `operator new` of the program. Include it in one file of a test program.
#pragma once

#include <atomic>
#include <cstdlib>
#include <new>

namespace skein::test {

inline std::atomic<long> allocation_count{0};
inline long allocations() { return allocation_count.load(); }

}  // namespace skein::test

[[gnu::noinline]] void* operator new(std::size_t size) {
  skein::test::allocation_count.fetch_add(1);
  if (void* p = std::malloc(size ? size : 1)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  skein::test::allocation_count.fetch_add(1);
  return std::malloc(size ? size : 1);
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t align) {
  skein::test::allocation_count.fetch_add(1);
  const auto unit = static_cast<std::size_t>(align);
  if (void* p = std::aligned_alloc(unit, (size + unit - 1) / unit * unit)) return p;
  throw std::bad_alloc();
}
// Not inlined: g++ would see free() beside an operator new it takes for the library's, and warn.
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}
