// Arithmetic over a vocabulary's logits that gives the same bits on every machine. Private to the
// sampler.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

namespace skein::sampling {

inline constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
inline constexpr size_t kChunk = 512;

// Two doubles at a time, which every machine we run on has. Spelled out because the compiler does
// not vectorise a loop that chooses between floating-point numbers; the results are those of
// element-wise code, so they do not depend on the machine.
inline constexpr size_t kLanes = 2;
using Doubles = double __attribute__((vector_size(kLanes * sizeof(double))));
using Words = uint64_t __attribute__((vector_size(kLanes * sizeof(double))));

// exp(x) for x <= 0 within 1e-12, and zero below -700. Our own because the last bit of libm's
// depends on the machine.
inline Doubles exp_nonpositive(Doubles x) {
  constexpr double kLog2E = 1.4426950408889634;
  constexpr double kLn2High = 0x1.62e42feep-1;  // its multiples by an exponent are exact
  constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  constexpr double kRound = 0x1.8p52;  // adding it leaves the nearest integer in the low bits
  const auto normal = x >= -700.0;
  const Doubles bounded = normal ? x : Doubles{} - 700.0;
  const Doubles shifted = bounded * kLog2E + kRound;
  const Doubles n = shifted - kRound;
  const Doubles r = (bounded - n * kLn2High) - n * kLn2Low;  // |r| <= ln2 / 2
  Doubles sum = r * (1.0 / 3628800) + 1.0 / 362880;          // the series, up to 1 / 10!
  sum = sum * r + 1.0 / 40320;
  sum = sum * r + 1.0 / 5040;
  sum = sum * r + 1.0 / 720;
  sum = sum * r + 1.0 / 120;
  sum = sum * r + 1.0 / 24;
  sum = sum * r + 1.0 / 6;
  sum = sum * r + 0.5;
  sum = sum * r + 1.0;
  sum = sum * r + 1.0;
  const auto power = std::bit_cast<Doubles>((std::bit_cast<Words>(shifted) + 1023) << 52);
  return normal ? sum * power : Doubles{};
}

// Weights of logits relative to the largest. A temperature below 1e-30 is as good as that.
struct Weigher {
  Weigher(float max, double temperature)
      : largest(max), inverse(1.0 / std::max(temperature, 1e-30)) {}

  double operator()(float logit) const {
    return exp_nonpositive(Doubles{(static_cast<double>(logit) - largest) * inverse})[0];
  }

  void operator()(std::span<const float> logits, double* weights) const {
    size_t i = 0;
    for (; i + kLanes <= logits.size(); i += kLanes) {
      const Doubles logit = {logits[i], logits[i + 1]};
      const Doubles weight = exp_nonpositive((logit - largest) * inverse);
      std::memcpy(weights + i, &weight, sizeof(weight));
    }
    for (; i < logits.size(); ++i) weights[i] = (*this)(logits[i]);
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

struct Extremes {
  float largest = kMinusInfinity;
  float smallest = std::numeric_limits<float>::infinity();  // of those above minus infinity
};

inline Extremes extremes_of(std::span<const float> values) {
  constexpr size_t kParts = 16;  // partial answers, which vectorise where a single one does not
  float largest[kParts];
  float smallest[kParts];
  std::fill_n(largest, kParts, Extremes{}.largest);
  std::fill_n(smallest, kParts, Extremes{}.smallest);
  const auto look = [&](size_t part, float value) {
    largest[part] = value > largest[part] ? value : largest[part];
    const float number = value > kMinusInfinity ? value : Extremes{}.smallest;
    smallest[part] = number < smallest[part] ? number : smallest[part];
  };
  size_t i = 0;
  for (; i + kParts <= values.size(); i += kParts)
    for (size_t part = 0; part < kParts; ++part) look(part, values[i + part]);
  for (; i < values.size(); ++i) look(0, values[i]);
  return {*std::max_element(largest, largest + kParts),
          *std::min_element(smallest, smallest + kParts)};
}

// Calls f(i) for the values from `low` to `high`, in order. Mostly there is none among 64, and
// asking for all of them at once vectorises.
template <typename F>
void each_between(std::span<const float> values, float low, float high, F f) {
  constexpr size_t kGroup = 64;
  for (size_t start = 0; start < values.size(); start += kGroup) {
    const auto group = values.subspan(start, std::min(kGroup, values.size() - start));
    uint32_t any = 0;
    for (const float value : group)
      any |= static_cast<uint32_t>(value >= low) & static_cast<uint32_t>(value <= high);
    if (any == 0) continue;
    for (size_t i = 0; i < group.size(); ++i)
      if (group[i] >= low && group[i] <= high) f(start + i);
  }
}

}  // namespace skein::sampling
