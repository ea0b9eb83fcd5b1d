// How long something takes, often: the middle and the worst.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <vector>

namespace skein::constrain::test {

// Processor time: what else runs here is not the mask's.
inline double now_us() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

struct Times {
  std::vector<double> us;

  template <typename What>
  auto measure(const What& what) {
    const double start = now_us();
    auto value = what();
    us.push_back(now_us() - start);
    return value;
  }
  void print(const char* name) {
    if (us.empty()) return;
    std::sort(us.begin(), us.end());
    const auto at = [&](double share) {
      return us[static_cast<size_t>(share * static_cast<double>(us.size() - 1))];
    };
    fmt::print("{:22} {:8} times   p50 {:8.2f}   p99 {:8.2f}   max {:8.2f} us\n", name, us.size(),
               at(0.5), at(0.99), us.back());
  }
};

}  // namespace skein::constrain::test
