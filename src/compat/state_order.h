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

  // `flat` has as many places as the state has numbers. Errors: device, memory.
  Status write(const State& state, float* flat) const;
  Status read(const float* flat, State& state) const;

 private:
  struct Part {
    size_t index = 0;  // of Skein's part
    int64_t size = 0;
    // Of heads whose matrix Skein keeps with swapped axes; 0 where it does not.
    int64_t rows = 0, columns = 0;
  };
  std::vector<Part> parts_;  // in rwkv.cpp's order
};

}  // namespace skein::compat
