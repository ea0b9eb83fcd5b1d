// The machine's limits, by name: what each measured figure stands beside.
#pragma once

#include <string_view>
#include <vector>

#include "run/model.h"

namespace skein {

struct Limit {
  std::string_view key;   // "read_bandwidth", in JSON
  std::string_view name;  // "read bandwidth"
  std::string_view unit;  // "GB/s": 1e9 of it
  double value = 0;       // a second; 0 if unknown
};

inline constexpr std::string_view kReadLimit = "read_bandwidth";
inline constexpr std::string_view kArithmeticLimit = "multiply_adds";

class MachineLimits {
 public:
  // Measures again and keeps the best of each: a machine whose neighbours woke up shows there.
  void measure(Model& model);

  std::vector<Limit> all() const;  // those that are known
  // What is known by that key; a limit of 0 otherwise.
  Limit find(std::string_view key) const;
  const ops::DeviceLimits& device() const { return best_; }

  // The limit that bounds work of so many bytes and operations, and the least seconds for it.
  struct Bound {
    Limit limit;
    double seconds = 0;
  };
  Bound bound(double bytes, double flops) const;
  Bound bound(const ops::Work& work) const {
    return bound(static_cast<double>(work.bytes()), static_cast<double>(work.flops));
  }

 private:
  ops::DeviceLimits best_;
};

}  // namespace skein
