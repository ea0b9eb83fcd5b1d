// Subnormal numbers as zero, for as long as an object of this class lives. They cost a hundred
// cycles each on x86 and a decaying state is full of them; and since every instruction set flushes
// the same ones, results stay equal bit for bit.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace skein::cpu {

class FlushSubnormals {
 public:
#if defined(__x86_64__)
  FlushSubnormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlushResults | kInputsAsZero); }
  ~FlushSubnormals() { _mm_setcsr(before_); }
#else
  FlushSubnormals() = default;
  ~FlushSubnormals() {}
#endif
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
#if defined(__x86_64__)
  static constexpr uint32_t kFlushResults = 0x8000;
  static constexpr uint32_t kInputsAsZero = 0x0040;
  uint32_t before_;
#endif
};

}  // namespace skein::cpu
