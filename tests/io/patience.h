// Time bounds are promised for the optimised program and for time on the processor, not for a
// debug build or a busy machine.
#pragma once

#include <ctime>

namespace skein::test {

#ifdef NDEBUG
inline constexpr bool kOptimised = true;
#else
inline constexpr bool kOptimised = false;
#endif

// Seconds of processor time since construction, those of a slow build counted as a fortieth.
class Stopwatch {
 public:
  double seconds() const {
    const double spent = static_cast<double>(std::clock() - begin_) / CLOCKS_PER_SEC;
    return kOptimised ? spent : spent / 40;
  }

 private:
  std::clock_t begin_ = std::clock();
};

}  // namespace skein::test
