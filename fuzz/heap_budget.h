// The most heap that a piece of code takes, by the sanitizer's own hooks.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

// Absent without a sanitizer; then nothing is counted.
extern "C" __attribute__((weak)) int __sanitizer_install_malloc_and_free_hooks(
    void (*)(const volatile void*, size_t), void (*)(const volatile void*));
extern "C" __attribute__((weak)) size_t __sanitizer_get_allocated_size(const volatile void*);

namespace skein::fuzz {

class HeapBudget {
 public:
  HeapBudget() {
    static const bool installed = install();
    static_cast<void>(installed);
    base_ = taken().load();
    most() = base_;
  }
  uint64_t peak() const { return static_cast<uint64_t>(most() - base_); }

 private:
  static std::atomic<int64_t>& taken() {
    static std::atomic<int64_t> bytes{0};
    return bytes;
  }
  static std::atomic<int64_t>& most() {
    static std::atomic<int64_t> bytes{0};
    return bytes;
  }
  static void on_malloc(const volatile void*, size_t size) {
    const int64_t now = taken() += static_cast<int64_t>(size);
    if (now > most()) most() = now;
  }
  static void on_free(const volatile void* memory) {
    if (memory) taken() -= static_cast<int64_t>(__sanitizer_get_allocated_size(memory));
  }
  static bool install() {
    return __sanitizer_install_malloc_and_free_hooks &&
           __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) != 0;
  }

  int64_t base_;
};

}  // namespace skein::fuzz
