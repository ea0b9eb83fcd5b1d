#include "ops/expand.h"

#include <string>

namespace skein::ops {
namespace {

// A new value beside the one that `like` describes, named after the step that makes it.
ValueId intermediate(Program& program, ValueId like, const char* step) {
  Value value = program.values[static_cast<size_t>(like)];
  value.name += step;
  program.values.push_back(std::move(value));
  return static_cast<ValueId>(program.values.size() - 1);
}

void expand_linear(Program& out, const Op& op) {
  const bool bias = op.weight[1] != kNone;
  const bool function = op.function != Unary::none;
  ValueId last = intermediate(out, op.out, ".product");
  Op product = {.kind = OpKind::linear, .out = last};
  product.in[0] = op.in[0];
  product.weight[0] = op.weight[0];
  out.ops.push_back(product);
  if (bias) {
    const ValueId sum = function ? intermediate(out, op.out, ".sum") : op.out;
    Op add = {.kind = OpKind::add, .out = sum};
    add.in[0] = last;
    add.weight[0] = op.weight[1];
    out.ops.push_back(add);
    last = sum;
  }
  if (function) {
    Op unary = {.kind = OpKind::unary, .out = op.out};
    unary.in[0] = last;
    unary.function = op.function;
    out.ops.push_back(unary);
  }
}

void expand_lerp(Program& out, const Op& op) {
  const ValueId difference = intermediate(out, op.out, ".difference");
  Op sub = {.kind = OpKind::sub, .out = difference};
  sub.in[0] = op.in[1];
  sub.in[1] = op.in[0];
  out.ops.push_back(sub);

  const ValueId scaled = intermediate(out, op.out, ".scaled");
  Op mul = {.kind = OpKind::mul, .out = scaled};
  mul.in[0] = difference;
  mul.in[1] = op.in[2];
  mul.weight[0] = op.weight[0];
  out.ops.push_back(mul);

  Op add = {.kind = OpKind::add, .out = op.out};
  add.in[0] = op.in[0];
  add.in[1] = scaled;
  out.ops.push_back(add);
}

}  // namespace

bool expandable(const Op& op) {
  if (op.kind == OpKind::lerp) return true;
  return op.kind == OpKind::linear && (op.weight[1] != kNone || op.function != Unary::none);
}

Program expand(const Program& program, const std::function<bool(const Op&)>& keep) {
  Program out = program;
  out.ops.clear();
  for (const Op& op : program.ops) {
    if (!expandable(op) || keep(op)) {
      out.ops.push_back(op);
    } else if (op.kind == OpKind::lerp) {
      expand_lerp(out, op);
    } else {
      expand_linear(out, op);
    }
  }
  return out;
}

}  // namespace skein::ops
