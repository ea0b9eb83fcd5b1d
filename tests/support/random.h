// Fixed random numbers for tests: the same on every machine.
#pragma once

#include <cstdint>
#include <vector>

namespace skein::test {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {  // SplitMix64
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t limit) { return next() % limit; }
  float uniform(float low, float high) {
    return low + (high - low) * static_cast<float>(next() >> 40) * 0x1p-24f;
  }
  std::vector<float> floats(size_t count, float low = -1, float high = 1) {
    std::vector<float> out(count);
    for (float& x : out) x = uniform(low, high);
    return out;
  }

 private:
  uint64_t state_;
};

}  // namespace skein::test
