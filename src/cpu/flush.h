// Subnormal numbers as zero, for as long as an object of this class lives. They cost a hundred
// cycles each on x86 and a decaying state is full of them; and since every instruction set of a
// processor flushes the same ones, results stay equal bit for bit. Between processors there is one
// difference: a result that would be rounded up to the smallest normal number is that on x86, and
// zero on ARM, which looks before it rounds.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace skein::cpu {

class FlushSubnormals {
 public:
#if defined(__x86_64__) || defined(__aarch64__)
  FlushSubnormals() : before_(control()) { set_control(before_ | kFlush); }
  ~FlushSubnormals() { set_control(before_); }
#else
  FlushSubnormals() = default;
  ~FlushSubnormals() {}
#endif
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
#if defined(__x86_64__)
  static constexpr uint32_t kFlush = 0x8000 | 0x0040;  // results, inputs
  static uint32_t control() { return _mm_getcsr(); }
  static void set_control(uint32_t value) { _mm_setcsr(value); }
  uint32_t before_;
#elif defined(__aarch64__)
  static constexpr uint64_t kFlush = uint64_t{1} << 24;  // FPCR.FZ: results and inputs
  static uint64_t control() {
    uint64_t value;
    asm volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void set_control(uint64_t value) {
    asm volatile("msr fpcr, %0" : : "r"(value) : "memory");
  }
  uint64_t before_;
#endif
};

}  // namespace skein::cpu
