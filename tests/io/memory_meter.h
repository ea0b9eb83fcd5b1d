// Counts what the test program takes from the heap, to hold readers to their bound.
#pragma once

#include <cstdint>

namespace skein::test {

// The most bytes that were taken at once since construction, beyond what was taken then.
class MemoryMeter {
 public:
  MemoryMeter();
  uint64_t peak() const;

 private:
  uint64_t base_;
};

}  // namespace skein::test
