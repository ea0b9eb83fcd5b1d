// Where each value lives while a program runs: one arena, reused as values die.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/program.h"

namespace skein::ops {

// Offsets are in floats *per token of the step*: value v of a step with T tokens stands at
// offset[v] * T, so that one plan serves every step size. The logits have no place here (kNone).
//
// A backend may run a group of neighbouring operations together on a few rows at a time. A value
// that only its own group touches is `local`: it needs memory for those rows alone, and its offset
// counts in floats per row of such a block.
struct Plan {
  std::vector<int64_t> offset;
  std::vector<int64_t> size;  // width rounded up to whole vectors
  std::vector<bool> local;
  int64_t floats_per_token = 0;
  int64_t local_floats_per_row = 0;
};

// `group` has a number for each operation, the same for neighbours that run together; empty: each
// operation runs by itself. `phase` likewise numbers stretches of groups: memory that a phase has
// done with is used again only after it, so that its operations, done by several threads each at
// its own pace, do not disturb each other. Empty: the groups.
Plan make_plan(const Program& program, std::span<const int32_t> group = {},
               std::span<const int32_t> phase = {});

}  // namespace skein::ops
