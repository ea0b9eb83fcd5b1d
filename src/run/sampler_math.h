// Arithmetic over a vocabulary's logits that gives the same bits on every machine. Private to the
// sampler.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>

namespace skein::sampling {

inline constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
inline constexpr size_t kChunk = 512;

struct Extremes {
  float largest = kMinusInfinity;
  float smallest = std::numeric_limits<float>::infinity();  // of those above minus infinity
};

// Logits from `top` down, in buckets of equal height; all that is deeper shares the last one.
struct Division {
  int bucket(float logit) const {
    const double depth = top - static_cast<double>(logit);
    return static_cast<int>((depth < height ? depth : height) * scale);
  }

  double top;
  double height;
  double scale;  // buckets a unit of height
  double step;   // of the exponent, a bucket; 0 where the place in a bucket does not count
};

// The passes over all logits of a row, which are most of what a draw costs. One text, compiled for
// each kind of vectors that this processor may have; what happens to an element does not depend on
// the others nor on how many there are, so neither do the results.
struct Passes {
  const char* vectors;  // "avx512"

  // NaN and plus infinity.
  bool (*has_nan_or_plus_infinity)(std::span<const float> logits);
  Extremes (*extremes)(std::span<const float> values);
  // exp((value - largest) * inverse) of each, within 1e-12; `largest` is at least each value.
  void (*weigh)(std::span<const float> values, double largest, double inverse, double* weights);
  // The bucket of each, and what it weighs there as a multiple of the bucket's middle, within
  // 2e-12; 0 for minus infinity.
  void (*place)(std::span<const float> values, const Division& division, int32_t* bucket,
                double* factor);
  bool (*any_between)(std::span<const float> values, float low, float high);
};

// Those that this processor can run, the best one first; never empty.
std::span<const Passes> all_passes();
inline const Passes& passes() { return all_passes().front(); }

// exp(x) for x <= 0 within 1e-12, and zero below -700. Our own because the last bit of libm's
// depends on the machine.
double exp_nonpositive(double x);

// Weights of logits relative to the largest. A temperature below 1e-30 is as good as that.
struct Weigher {
  Weigher(float max, double temperature)
      : largest(max), inverse(1.0 / std::max(temperature, 1e-30)) {}

  double operator()(float logit) const {
    return exp_nonpositive((static_cast<double>(logit) - largest) * inverse);
  }
  void operator()(std::span<const float> logits, double* weights) const {
    passes().weigh(logits, largest, inverse, weights);
  }

  double largest;
  double inverse;
};

// Calls f(start, count, weights) for chunks of `values`, so that exp runs in a loop of its own.
template <typename F>
void each_chunk(std::span<const float> values, const Weigher& weigh, F f) {
  double weights[kChunk];
  for (size_t start = 0; start < values.size(); start += kChunk) {
    const auto chunk = values.subspan(start, std::min(kChunk, values.size() - start));
    weigh(chunk, weights);
    f(start, chunk.size(), weights);
  }
}

inline Extremes extremes_of(std::span<const float> values) { return passes().extremes(values); }

// Calls f(i) for the values from `low` to `high`, in order. Mostly there is none among 128, and
// asking for all of them at once is a few instructions.
template <typename F>
void each_between(std::span<const float> values, float low, float high, F f) {
  constexpr size_t kGroup = 128;
  const Passes& all = passes();
  for (size_t start = 0; start < values.size(); start += kGroup) {
    const auto group = values.subspan(start, std::min(kGroup, values.size() - start));
    if (!all.any_between(group, low, high)) continue;
    for (size_t i = 0; i < group.size(); ++i)
      if (group[i] >= low && group[i] <= high) f(start + i);
  }
}

}  // namespace skein::sampling
