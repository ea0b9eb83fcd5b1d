#include "ops/recorder.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "ops/operation.h"

namespace skein::ops {

int32_t Var::width() const { return recorder_->program_.value(id_).width; }

Var operator+(Var a, Var b) { return a.recorder_->add("sum", a, b); }
Var operator-(Var a, Var b) { return a.recorder_->sub("difference", a, b); }
Var operator*(Var a, Var b) { return a.recorder_->mul("product", a, b); }

SlotId Recorder::slot(std::string name, int64_t size, DType type, Growth growth) {
  constexpr int64_t kAlign = sizeof(float);  // of the widest type that a slot has
  const int64_t end = program_.state_bytes();
  program_.slots.push_back({.name = prefix_ + std::move(name),
                            .size = size,
                            .type = type,
                            .growth = growth,
                            .offset = (end + kAlign - 1) / kAlign * kAlign});
  return static_cast<SlotId>(program_.slots.size() - 1);
}

Var Recorder::record(const char* name, Op op, std::initializer_list<Source> operands) {
  const Operation& row = operation(op);
  OpShape shape = {.op = op};
  Rows rows = Rows::tokens;
  size_t place = 0;
  for (const Source& source : operands) {
    const Operand& operand = row.operands[place];
    if (source.value_) {
      SK_CHECK(source.value_.recorder_ == this && operand.value >= 0);
      op.in[operand.value] = source.value_.id_;
      shape.operands[place] = source.value_.width();
      rows = program_.value(source.value_.id_).rows;
    } else if (source.weight_.id != kNone) {
      SK_CHECK(operand.weight >= 0);
      op.weight[operand.weight] = source.weight_.id;
      shape.operands[place] = source.weight_.width;
    }
    ++place;
  }
  const int32_t width = width_of(shape, program_.slots);
  if (width == 0) check_failed((prefix_ + name + " = " + row.name).c_str(), __FILE__, __LINE__);
  if (op.kind == OpKind::pick) rows = Rows::outputs;
  op.out = static_cast<ValueId>(program_.values.size());
  program_.values.push_back({rows, width, prefix_ + name});
  program_.ops.push_back(op);
  return Var(this, op.out);
}

Program Recorder::finish(Var logits) {
  std::stable_partition(program_.ops.begin(), program_.ops.end(),
                        [](const Op& op) { return op.kind == OpKind::rows; });
  program_.logits = logits.id();
  return std::move(program_);
}

}  // namespace skein::ops
