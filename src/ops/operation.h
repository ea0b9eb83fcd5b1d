// The table of operations: everything that is known of a kind of operation besides how a device
// computes it. Recorder, reference executor, expansion, gradients and the devices' schedules read
// it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "ops/program.h"

namespace skein::ops {

// An input: a value of the program, a weight, or either of the two.
struct Operand {
  const char* name = nullptr;  // its letter in the formula beside OpKind; none: no operand
  int8_t value = -1;           // its place in Op::in; -1: it is never a value
  int8_t weight = -1;          // its place in Op::weight
  bool optional = false;

  bool in_values(const Op& op) const { return value >= 0 && op.in[value] != kNone; }
  bool in_weights(const Op& op) const { return weight >= 0 && op.weight[weight] != kNone; }
};

// What of its values one number of the result needs: of a row...
enum class Across : uint8_t {
  own,   // the same column
  head,  // the head that the column is in
  row,   // all of it
};
// ... and of all rows.
enum class Along : uint8_t {
  own,       // the same row
  previous,  // the one before, of the same sequence
  earlier,   // all of the sequence until this one, through the state
  chosen,    // others: which, the step says
};

// What an operation does to its slots.
enum class SlotUse : uint8_t {
  none,
  // A sequence's first row reads what is there, its last row replaces it. A device may do the two
  // at different times, the write after the read.
  last_row,
  // Each row reads what the one before left.
  recurrent,
};

// How wide things are; operands in the order of the table, 0 for one that is left out.
struct OpShape {
  const Op& op;
  std::array<int32_t, kMostOperands> operands{};  // of a matrix its rows

  // Whether `heads` is a number that divides this width.
  bool divides(int32_t width) const { return op.heads > 0 && width % op.heads == 0; }
};

// An operation of a step as its definition sees it: every number by itself, no device.
struct OpCall {
  struct Input {
    const float* data = nullptr;
    int64_t stride = 0;  // numbers from row to row; 0: the same for all
    int64_t width = 0;

    explicit operator bool() const { return data != nullptr; }
    const float* row(int64_t t) const { return data + t * stride; }
  };
  // Rows [begin, end) are one sequence; `state`: its slots, one after the other.
  struct Sequence {
    int64_t begin = 0;
    int64_t end = 0;
    double* state = nullptr;
  };

  const Op& op;
  std::array<Input, kMostOperands> in{};  // in the order of the table
  int64_t rows = 0;                       // of the result
  int64_t width = 0;
  std::span<const Sequence> sequences{};
  std::span<const int32_t> tokens{};
  std::span<const int32_t> outputs{};
};

// What a loss changes with, in the places of what it is the gradient of: `in` is added to.
struct OpGradient {
  struct Input {
    double* data = nullptr;  // none where nobody asks
    int64_t stride = 0;

    explicit operator bool() const { return data != nullptr; }
    double* row(int64_t t) const { return data + t * stride; }
  };

  const double* out = nullptr;  // [rows, width], of several results one after the other
  std::array<Input, kMostOperands> in{};
  // Of each sequence's slots: of what they hold afterwards, to be replaced by that of what they
  // held before.
  std::span<double* const> states{};
};

struct Operation {
  OpKind kind;
  const char* name;
  std::array<Operand, kMostOperands> operands;
  Across across = Across::own;
  Along along = Along::own;
  SlotUse slot_use = SlotUse::none;
  int32_t slots = 0;  // neighbours, equally large
  // How wide the result is; 0: the operands do not fit together. Operands that have to be there
  // are.
  int32_t (*width)(const OpShape& shape) = nullptr;
  // Numbers in a slot, of an operation whose result is so wide. None without slots.
  int64_t (*slot_size)(const Op& op, int64_t width) = nullptr;
  // Floating-point operations for a row of the result, `inputs` being the width of the first
  // operand. None where bytes bound it.
  int64_t (*flops)(const Op& op, int64_t inputs, int64_t width) = nullptr;
  // The definition, in double: the result [rows, width] (several one after the other), and the
  // states in place.
  void (*reference)(const OpCall& call, double* out) = nullptr;
  // Its derivative, where the states are still those of before. Nothing goes back to what token
  // ids and places of outputs are chosen by.
  void (*gradient)(const OpCall& call, const OpGradient& gradient) = nullptr;
  // Whether it can be written as smaller operations, and that: appended to a program, their last
  // one making the same results. None: a primitive.
  bool (*is_composite)(const Op& op) = nullptr;
  void (*expand)(Program& program, const Op& op) = nullptr;

  bool composite(const Op& op) const { return is_composite && is_composite(op); }
};

const Operation& operation(OpKind kind);
inline const Operation& operation(const Op& op) { return operation(op.kind); }
inline const char* op_name(OpKind kind) { return operation(kind).name; }

// How wide the result is; 0: operands or slots do not fit.
int32_t width_of(const OpShape& shape, std::span<const Slot> slots);

// What an operation has to move and to compute, however it is done.
struct Work {
  int64_t weight_bytes = 0;  // as the device keeps them
  int64_t state_bytes = 0;   // read and written
  int64_t value_bytes = 0;   // of the values that it reads and makes; small ones stay in a cache
  int64_t flops = 0;  // of products and recurrences; other operations are bound by their bytes

  int64_t bytes() const { return weight_bytes + state_bytes + value_bytes; }
  Work& operator+=(const Work& other) {
    weight_bytes += other.weight_bytes;
    state_bytes += other.state_bytes;
    value_bytes += other.value_bytes;
    flops += other.flops;
    return *this;
  }
};

// Of a step of so many tokens, sequences and wanted outputs; without the weights.
Work work_of(const Program& program, const Op& op, int64_t tokens, int64_t sequences,
             int64_t outputs);

// A new value beside one of the program, named after the step that makes it: for expansions.
ValueId append_value(Program& program, ValueId like, const char* step);
ValueId append_value(Program& program, ValueId like, const char* step, int32_t width);

}  // namespace skein::ops
