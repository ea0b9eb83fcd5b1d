// What the CPU does of each kind of operation: how it is divided among threads, and the way from
// values and weights to a kernel's arguments.
#pragma once

#include "cpu/kernels.h"
#include "ops/backend.h"

namespace skein::cpu {

class Executor;

// How an operation's work is divided in a step.
enum class Split : uint8_t {
  serial,   // thread 0 alone: too little work to share
  rows,     // each thread its rows (tokens)
  columns,  // each thread its columns of the result (a matrix's panels, whole heads) for all rows
  states,   // each thread its heads of its sequences' states
};

// What one thread does of an operation at a time: these rows, and these columns of the result.
struct Part {
  Range rows;
  Range columns;
  int64_t block = 0;  // the row where local values begin
  int thread = 0;
  Split split = Split::serial;

  int64_t width() const { return columns.end - columns.begin; }
  Range own_rows() const { return {0, rows.end - rows.begin}; }
};

// An operation as one thread meets it.
struct OpPart {
  Executor& executor;
  const ops::Op& op;
  const ops::Step& step;
  const Part& part;
};

// The ways in which a kernel can be divided. Whole heads go to one thread where they go round.
enum class Division : uint8_t {
  before,   // done by the caller before threads begin
  follows,  // any: element functions take that of their neighbours
  columns,  // columns in every step
  either,   // columns in steps of few tokens, rows in others
  heads,    // heads; where they do not go round as `rows`
  rows,     // rows; by one thread in steps of few tokens
  states,   // heads; where they do not go round the heads of all sequences' states
};

struct CpuOperation {
  ops::OpKind kind;
  Division division;
  void (*run)(const OpPart& o);
  bool meets = false;  // it has barriers of its own, which threads without columns must not miss
};
const CpuOperation& cpu_operation(ops::OpKind kind);

}  // namespace skein::cpu
