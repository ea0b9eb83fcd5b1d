// Which thread does what, and where threads have to wait for each other.
#pragma once

#include <vector>

#include "ops/plan.h"
#include "ops/program.h"

namespace skein::cpu {

// How an operation's work is divided.
enum class Split : uint8_t {
  serial,  // thread 0 alone: too little work to share
  rows,    // each thread its rows (tokens)
  panels,  // each thread its output rows of the matrix
  states,  // each thread its parts (heads, or blocks of 16 channels) of its sequences' states
};

struct Scheduled {
  Split split = Split::serial;
  bool wait_before = false;  // all threads meet before this operation
};

// `small` schedules a step of few tokens: work on rows is then left to thread 0, which goes through
// neighbouring operations of that kind without meeting anybody. A meeting is placed where an
// operation touches memory that another thread may have read or written since the last one.
std::vector<Scheduled> make_schedule(const ops::Program& program, const ops::Plan& plan,
                                     bool small);

}  // namespace skein::cpu
