#include "run/sampler_math.h"

#include <bit>
#include <cstring>
#include <vector>

namespace skein::sampling {
namespace {

// Inlined into each function of a Passes, so that it is compiled for those vectors. Vectors go by
// reference: how they are handed over otherwise depends on what the processor has.
#define SK_PASS __attribute__((always_inline)) inline

// A compiler makes of them as many registers as it takes.
constexpr size_t kFloats = 16;
constexpr size_t kDoubles = 8;
using Floats = float __attribute__((vector_size(kFloats * sizeof(float))));
using HalfFloats = float __attribute__((vector_size(kDoubles * sizeof(float))));
using HalfInts = int32_t __attribute__((vector_size(kDoubles * sizeof(int32_t))));
using Doubles = double __attribute__((vector_size(kDoubles * sizeof(double))));
using Words = uint64_t __attribute__((vector_size(kDoubles * sizeof(double))));

// What goes with one number, and with a vector of them.
template <typename T>
struct Kind;
template <>
struct Kind<double> {
  using Float = float;
  using Int = int32_t;
  using Word = uint64_t;
  template <typename To, typename From>
  SK_PASS static void convert(const From& from, To& to) {
    to = static_cast<To>(from);
  }
};
template <>
struct Kind<Doubles> {
  using Float = HalfFloats;
  using Int = HalfInts;
  using Word = Words;
  template <typename To, typename From>
  SK_PASS static void convert(const From& from, To& to) {
    to = __builtin_convertvector(from, To);
  }
};

template <typename T>
SK_PASS void load(const void* from, T& to) {
  std::memcpy(&to, from, sizeof(T));
}
template <typename T>
SK_PASS void store(const T& from, void* to) {
  std::memcpy(to, &from, sizeof(T));
}

template <typename T>
SK_PASS void exponential(const T& x, T& out) {
  using Word = typename Kind<T>::Word;
  constexpr double kLog2E = 1.4426950408889634;
  constexpr double kLn2High = 0x1.62e42feep-1;  // its multiples by an exponent are exact
  constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  constexpr double kRound = 0x1.8p52;  // adding it leaves the nearest integer in the low bits
  const auto normal = x >= T{} - 700.0;
  const T bounded = normal ? x : T{} - 700.0;
  const T shifted = bounded * kLog2E + kRound;
  const T n = shifted - kRound;
  const T r = (bounded - n * kLn2High) - n * kLn2Low;  // |r| <= ln2 / 2
  T sum = r * (1.0 / 3628800) + 1.0 / 362880;          // the series, up to 1 / 10!
  sum = sum * r + 1.0 / 40320;
  sum = sum * r + 1.0 / 5040;
  sum = sum * r + 1.0 / 720;
  sum = sum * r + 1.0 / 120;
  sum = sum * r + 1.0 / 24;
  sum = sum * r + 1.0 / 6;
  sum = sum * r + 0.5;
  sum = sum * r + 1.0;
  sum = sum * r + 1.0;
  Word bits;
  load(&shifted, bits);
  bits = (bits + 1023) << 52;
  T power;
  load(&bits, power);
  out = normal ? sum * power : T{};
}

// Told from numbers by their bits because that vectorises.
SK_PASS bool has_nan_or_plus_infinity(std::span<const float> logits) {
  uint32_t any = 0;
  for (const float logit : logits) {
    const uint32_t bits = std::bit_cast<uint32_t>(logit);
    any |= static_cast<uint32_t>((bits & 0x7fffffffu) >= 0x7f800000u) &
           static_cast<uint32_t>(bits != 0xff800000u);
  }
  return any != 0;
}

SK_PASS Extremes extremes(std::span<const float> values) {
  const float infinity = Extremes{}.smallest;
  Floats largest = Floats{} + kMinusInfinity;
  Floats smallest = Floats{} + infinity;
  size_t i = 0;
  for (; i + kFloats <= values.size(); i += kFloats) {
    Floats value;
    load(values.data() + i, value);
    largest = value > largest ? value : largest;
    const Floats number = value > Floats{} + kMinusInfinity ? value : Floats{} + infinity;
    smallest = number < smallest ? number : smallest;
  }
  Extremes out;
  const auto look = [&out](float high, float low) {
    out.largest = high > out.largest ? high : out.largest;
    out.smallest = low > kMinusInfinity && low < out.smallest ? low : out.smallest;
  };
  for (size_t lane = 0; lane < kFloats; ++lane) look(largest[lane], smallest[lane]);
  for (; i < values.size(); ++i) look(values[i], values[i]);
  return out;
}

template <typename T>
SK_PASS void weigh_some(const float* values, double largest, double inverse, double* weights) {
  typename Kind<T>::Float value;
  T logit, weight;
  load(values, value);
  Kind<T>::convert(value, logit);
  exponential((logit - largest) * inverse, weight);
  store(weight, weights);
}

SK_PASS void weigh(std::span<const float> values, double largest, double inverse, double* weights) {
  size_t i = 0;
  for (; i + kDoubles <= values.size(); i += kDoubles)
    weigh_some<Doubles>(values.data() + i, largest, inverse, weights + i);
  for (; i < values.size(); ++i)
    weigh_some<double>(values.data() + i, largest, inverse, weights + i);
}

// The weight is that of the bucket's middle times exp(d); with |d| < 0.032 its series to d^5 is
// right within 2e-12.
template <typename T>
SK_PASS void place_some(const float* values, const Division& division, int32_t* bucket,
                        double* factor) {
  typename Kind<T>::Float value;
  typename Kind<T>::Int index;
  T logit, whole;
  load(values, value);
  Kind<T>::convert(value, logit);
  const T depth = division.top - logit;
  const T bounded = depth < T{} + division.height ? depth : T{} + division.height;
  const T place = bounded * division.scale;
  Kind<T>::convert(place, index);
  Kind<T>::convert(index, whole);
  const T d = (whole + 0.5 - place) * division.step;
  T sum = d * (1.0 / 120) + 1.0 / 24;
  sum = sum * d + 1.0 / 6;
  sum = sum * d + 0.5;
  sum = sum * d + 1.0;
  sum = sum * d + 1.0;
  const T weight = logit > T{} + static_cast<double>(kMinusInfinity) ? sum : T{};
  store(index, bucket);
  store(weight, factor);
}

SK_PASS void place(std::span<const float> values, const Division& division, int32_t* bucket,
                   double* factor) {
  size_t i = 0;
  for (; i + kDoubles <= values.size(); i += kDoubles)
    place_some<Doubles>(values.data() + i, division, bucket + i, factor + i);
  for (; i < values.size(); ++i)
    place_some<double>(values.data() + i, division, bucket + i, factor + i);
}

SK_PASS bool any_between(std::span<const float> values, float low, float high) {
  uint32_t any = 0;
  for (const float value : values)
    any |= static_cast<uint32_t>(value >= low) & static_cast<uint32_t>(value <= high);
  return any != 0;
}

// The passes, compiled with `attribute`.
#define SK_PASSES(Name, vectors, attribute)                                                      \
  struct Name {                                                                                  \
    attribute static bool bad(std::span<const float> logits) {                                   \
      return has_nan_or_plus_infinity(logits);                                                   \
    }                                                                                            \
    attribute static Extremes range(std::span<const float> values) { return extremes(values); }  \
    attribute static void weights(std::span<const float> values, double largest, double inverse, \
                                  double* out) {                                                 \
      weigh(values, largest, inverse, out);                                                      \
    }                                                                                            \
    attribute static void places(std::span<const float> values, const Division& division,        \
                                 int32_t* bucket, double* factor) {                              \
      place(values, division, bucket, factor);                                                   \
    }                                                                                            \
    attribute static bool any(std::span<const float> values, float low, float high) {            \
      return any_between(values, low, high);                                                     \
    }                                                                                            \
    static constexpr Passes kRow{vectors, bad, range, weights, places, any};                     \
  }

SK_PASSES(Baseline, "baseline", );
#ifdef __x86_64__
SK_PASSES(Avx2, "avx2", __attribute__((target("avx2"))));
SK_PASSES(Avx512, "avx512", __attribute__((target("avx512f,avx512dq"))));
#endif

}  // namespace

std::span<const Passes> all_passes() {
  static const auto rows = [] {
    std::vector<Passes> out;
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
      out.push_back(Avx512::kRow);
    if (__builtin_cpu_supports("avx2")) out.push_back(Avx2::kRow);
#endif
    out.push_back(Baseline::kRow);
    return out;
  }();
  return rows;
}

double exp_nonpositive(double x) {
  double out;
  exponential(x, out);
  return out;
}

}  // namespace skein::sampling
