// What measurements have in common.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace skein {

template <typename Work>
double seconds_of(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return seconds_since(start);
}

struct Spread {
  double median, low, high;
};

// Of at least one value.
inline Spread spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

// The same on every machine: what they make of a model has one fingerprint.
inline std::vector<int32_t> some_tokens(int64_t count, int32_t vocab) {
  std::vector<int32_t> out(static_cast<size_t>(count));
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<int32_t>((i * 7919 + 17) % static_cast<size_t>(vocab));
  return out;
}

}  // namespace skein
