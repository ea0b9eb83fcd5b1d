// Where each value lives while a program runs: one arena, reused as values die.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/program.h"

namespace skein::ops {

// Offsets are in floats *per token of the step*: value v of a step with T tokens stands at
// offset[v] * T, so that one plan serves every step size. The logits have no place here (kNone).
struct Plan {
  std::vector<int64_t> offset;
  std::vector<int64_t> size;  // width rounded up to whole vectors
  int64_t floats_per_token = 0;
};

Plan make_plan(const Program& program);

}  // namespace skein::ops
