// Allocations of this thread that fail when they are told to. In a program that includes it every
// `operator new` is counted; include it in one file.
#pragma once

#include <cstdlib>
#include <limits>
#include <new>

namespace skein::test {

// While it lives, `allowed` allocations succeed, then `failing` fail, and then all succeed again.
class MemoryFailures {
 public:
  MemoryFailures() = default;
  MemoryFailures(long allowed, long failing) : failing_(failing) {
    allowed_of_thread() = allowed;
    failing_of_thread() = failing;
  }
  ~MemoryFailures() {
    if (failing_ > 0) failing_of_thread() = 0;
  }
  MemoryFailures(const MemoryFailures&) = delete;
  MemoryFailures& operator=(const MemoryFailures&) = delete;

  // How many have failed.
  unsigned long happened() const {
    return failing_ > 0 ? static_cast<unsigned long>(failing_ - failing_of_thread()) : 0;
  }

  static bool may_allocate() {
    if (failing_of_thread() == 0 || allowed_of_thread()-- > 0) return true;
    --failing_of_thread();
    return false;
  }
  static long& allowed_of_thread() {
    static thread_local long count = 0;
    return count;
  }
  static long& failing_of_thread() {
    static thread_local long count = 0;
    return count;
  }

 private:
  long failing_ = 0;
};

}  // namespace skein::test

// Not inline, or the compiler sees free() where it expects delete.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (!skein::test::MemoryFailures::may_allocate()) throw std::bad_alloc();
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
