// Reading a model's sizes off its tensors: what the architecture files share when they open one.
#pragma once

#include <string_view>

#include "arch/architecture.h"

namespace skein::arch {

class Shapes {
 public:
  Shapes(const NamedTensors& tensors, std::string_view file_name)
      : tensors_(tensors), file_name_(file_name) {}

  // The tensor's shape. `rank` 0 accepts any. Error: mismatch (missing, or of another rank).
  Result<Shape> of(std::string_view name, int rank) const;
  // The inner size of a low-rank pair by the first of the two, [in, rank]. Error: mismatch.
  Result<int64_t> rank_of(std::string_view name) const;
  // 1 + the largest i of "blocks.i."; every block below has to be there. Error: mismatch.
  Result<int64_t> layers() const;
  // Error: mismatch (one of the two is missing).
  Status both_or_neither(std::string_view a, std::string_view b) const;
  // Layers, width, inner width and vocabulary within limits and above 0. Errors: mismatch,
  // unsupported.
  Status check_limits(const Dimensions& d) const;

 private:
  const NamedTensors& tensors_;
  std::string_view file_name_;
};

// "0.1B", "1.5B", "13.3B"; below a hundredth of a billion "1.2M".
std::string size_name(int64_t parameters);

}  // namespace skein::arch
