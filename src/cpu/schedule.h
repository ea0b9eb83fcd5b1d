// Which thread does what, where threads have to wait for each other, and which operations go
// through memory together.
#pragma once

#include <vector>

#include "cpu/operations.h"
#include "ops/plan.h"
#include "ops/program.h"

namespace skein::cpu {

// Operations that are joined go through a step in blocks of at most so many rows, so that what one
// hands to the next is still in a core's cache.
inline constexpr int32_t kBlockRows = 32;

struct Scheduled {
  Split split = Split::serial;
  bool wait_before = false;  // a barrier stands before this operation
  bool joined = false;       // to the operation before it
  int32_t grain = 16;        // columns are divided in whole groups of so many
  int32_t block_rows = kBlockRows;
};

struct Schedule {
  std::vector<Scheduled> ops;
  ops::Plan plan;
};

// A step of few tokens is divided by columns wherever possible, since rows are few; a larger one by
// rows where an operation needs whole rows. Neighbours that are divided alike need no barrier: one
// is placed where an operation reads what another thread may have written since the last one.
//
// Heads are divided among threads if that is about even for this number of threads.
enum class StepSize : uint8_t { small, large };
Schedule make_schedule(const ops::Program& program, StepSize size, int threads);

// Every operation by itself, for one thread: each value is whole after its operation.
Schedule make_traced_schedule(const ops::Program& program);

}  // namespace skein::cpu
