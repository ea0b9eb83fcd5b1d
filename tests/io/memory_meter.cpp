#include "io/memory_meter.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<uint64_t> taken{0};
std::atomic<uint64_t> most{0};

void* take(std::size_t size) noexcept {
  void* memory = std::malloc(size ? size : 1);
  if (!memory) return nullptr;
  const uint64_t now = taken += malloc_usable_size(memory);
  uint64_t before = most;
  while (before < now && !most.compare_exchange_weak(before, now)) {
  }
  return memory;
}

void* take_or_throw(std::size_t size) {
  void* memory = take(size);
  if (!memory) throw std::bad_alloc();
  return memory;
}

void give_back(void* memory) {
  if (!memory) return;
  taken -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return take_or_throw(size); }
void* operator new[](std::size_t size) { return take_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return take(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return take(size); }
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete[](void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { give_back(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { give_back(memory); }

namespace skein::test {

MemoryMeter::MemoryMeter() : base_(taken) { most = base_; }

uint64_t MemoryMeter::peak() const { return most - base_; }

}  // namespace skein::test
