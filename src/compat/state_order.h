// Where the numbers of Skein's state stand in the flat vector of rwkv.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "run/state.h"

namespace skein::compat {

// rwkv.cpp keeps of each layer first what the channel mix remembers, then what the time mix does,
// with matrices in the official order of their axes.
class StateOrder {
 public:
  explicit StateOrder(const StateLayout& layout);

  // `flat` has as many places as there are `values`.
  void write(std::span<const float> values, float* flat) const;
  void read(const float* flat, std::span<float> values) const;

 private:
  struct Part {
    int64_t at = 0;  // in Skein's values
    int64_t size = 0;
    // Of heads whose matrix Skein keeps with swapped axes; 0 where it does not.
    int64_t rows = 0, columns = 0;
  };
  std::vector<Part> parts_;  // in rwkv.cpp's order
};

}  // namespace skein::compat
