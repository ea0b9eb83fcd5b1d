#include "ops/operation.h"

#include <algorithm>
#include <utility>

#include "ops/operations/all.h"

namespace skein::ops {
namespace {

// In the order of OpKind.
constexpr std::array<const Operation*, kOpKinds> kTable = {
    &kRows,        &kPick,  &kLinear, &kLayerNorm, &kRmsNorm, &kGroupNorm, &kL2NormHeads,
    &kShift,       &kLerp,  &kAdd,    &kSub,       &kMul,     &kUnary,     &kRepeatHeads,
    &kTokenMatmul, &kBonus, &kWkv4,   &kWkv6,      &kWkv7,
};

bool fits(const Op& op, const Operation& row, int32_t width, std::span<const Slot> slots) {
  if (row.slots == 0) return op.slot == kNone;
  if (op.slot < 0 || static_cast<size_t>(op.slot + row.slots) > slots.size()) return false;
  const int64_t size = row.slot_size(op, width);
  const auto first = static_cast<size_t>(op.slot);
  for (size_t i = 0; i < static_cast<size_t>(row.slots); ++i) {
    const Slot& slot = slots[first + i];
    if (slot.size != size || slot.type != DType::f32 || slot.growth != Growth::fixed) return false;
    if (slot.offset != slots[first].offset + static_cast<int64_t>(i) * slot.bytes()) return false;
  }
  return true;
}

}  // namespace

const Operation& operation(OpKind kind) { return *kTable[static_cast<size_t>(kind)]; }

int32_t width_of(const OpShape& shape, std::span<const Slot> slots) {
  const Operation& row = operation(shape.op);
  for (size_t i = 0; i < row.operands.size(); ++i)
    if (row.operands[i].name && !row.operands[i].optional && shape.operands[i] <= 0) return 0;
  const int32_t width = row.width(shape);
  return width > 0 && fits(shape.op, row, width, slots) ? width : 0;
}

Work work_of(const Program& program, const Op& op, int64_t tokens, int64_t sequences,
             int64_t outputs) {
  const Operation& row = operation(op);
  const auto rows = [&](const Value& value) {
    return value.rows == Rows::outputs ? outputs : tokens;
  };
  Work work;
  int64_t made = 0;
  for (ValueId out = op.out; out < op.out + op.results; ++out)
    made += program.value(out).width * rows(program.value(out));
  int64_t moved = made;
  for (const ValueId in : op.in) {
    if (in == kNone) continue;
    const int64_t numbers = program.value(in).width * rows(program.value(in));
    moved += row.along == Along::chosen ? std::min(numbers, made) : numbers;  // no others are read
  }
  work.value_bytes = moved * int64_t{sizeof(float)};
  if (row.slots > 0) work.state_bytes = 2 * row.slots * program.slot(op.slot).bytes() * sequences;
  const Value& out = program.value(op.out);
  if (row.flops)
    work.flops =
        rows(out) * row.flops(op, op.in[0] == kNone ? 0 : program.value(op.in[0]).width, out.width);
  return work;
}

ValueId append_value(Program& program, ValueId like, const char* step) {
  return append_value(program, like, step, program.value(like).width);
}

ValueId append_value(Program& program, ValueId like, const char* step, int32_t width) {
  Value value = program.value(like);
  value.name += step;
  value.width = width;
  program.values.push_back(std::move(value));
  return static_cast<ValueId>(program.values.size() - 1);
}

}  // namespace skein::ops
