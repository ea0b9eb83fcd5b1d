// Number by number.
#include <cmath>
#include <limits>

#include "ops/operations/all.h"

namespace skein::ops {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
const double kDecay7 = std::exp(-0.5);

// f(values of the operands) for each number.
template <typename Function>
void each(const OpCall& call, double* out, const Function& f) {
  for (int64_t t = 0; t < call.rows; ++t) {
    for (int64_t i = 0; i < call.width; ++i) {
      const auto at = [&](size_t place) { return double{call.in[place].row(t)[i]}; };
      out[t * call.width + i] = f(at);
    }
  }
}

// f(place) is what the result changes with the operand there.
template <typename Function>
void each_gradient(const OpCall& call, const OpGradient& gradient, const Function& f) {
  for (size_t place = 0; place < kMostOperands; ++place) {
    if (!gradient.in[place]) continue;
    for (int64_t t = 0; t < call.rows; ++t) {
      for (int64_t i = 0; i < call.width; ++i) {
        const auto at = [&](size_t operand) { return double{call.in[operand].row(t)[i]}; };
        gradient.in[place].row(t)[i] += gradient.out[t * call.width + i] * f(at, place);
      }
    }
  }
}

void append(Program& program, OpKind kind, ValueId out, ValueId a, ValueId b,
            WeightId weight = kNone) {
  Op op = {.kind = kind, .out = out};
  op.in[0] = a;
  op.in[1] = b;
  op.weight[0] = weight;
  program.ops.push_back(op);
}

void expand_lerp(Program& program, const Op& op) {
  const ValueId difference = append_value(program, op.out, ".difference");
  append(program, OpKind::sub, difference, op.in[1], op.in[0]);
  const ValueId scaled = append_value(program, op.out, ".scaled");
  append(program, OpKind::mul, scaled, difference, op.in[2], op.weight[0]);
  append(program, OpKind::add, op.out, op.in[0], scaled);
}

}  // namespace

int32_t all_alike(const OpShape& shape) {
  for (const int32_t width : shape.operands)
    if (width != 0 && width != shape.operands[0]) return 0;
  return shape.operands[0];
}

double apply(Unary function, double x) {
  if (function != Unary::none && !std::isfinite(x)) return std::numeric_limits<double>::quiet_NaN();
  switch (function) {
    case Unary::none: return x;
    case Unary::relu2: return x > 0 ? x * x : 0;
    case Unary::sigmoid: return sigmoid(x);
    case Unary::tanh: return std::tanh(x);
    case Unary::silu: return x * sigmoid(x);
    case Unary::decay: return std::exp(-std::exp(x));
    case Unary::decay7: return std::exp(-kDecay7 * sigmoid(x));
  }
  return x;
}

double derivative(Unary function, double x) {
  if (function != Unary::none && !std::isfinite(x)) return std::numeric_limits<double>::quiet_NaN();
  const double y = apply(function, x);
  switch (function) {
    case Unary::none: return 1;
    case Unary::relu2: return x > 0 ? 2 * x : 0;
    case Unary::sigmoid: return y * (1 - y);
    case Unary::tanh: return 1 - y * y;
    case Unary::silu: return sigmoid(x) * (1 + x * (1 - sigmoid(x)));
    case Unary::decay: return -std::exp(x) * y;
    case Unary::decay7: return -kDecay7 * sigmoid(x) * (1 - sigmoid(x)) * y;
  }
  return 1;
}

const Operation kLerp = {
    .kind = OpKind::lerp,
    .name = "lerp",
    .operands = {{{.name = "a", .value = 0},
                  {.name = "b", .value = 1},
                  {.name = "t", .value = 2, .weight = 0}}},
    .width = all_alike,
    .reference =
        [](const OpCall& call, double* out) {
          each(call, out, [](const auto& at) { return at(0) + (at(1) - at(0)) * at(2); });
        },
    .gradient =
        [](const OpCall& call, const OpGradient& gradient) {
          each_gradient(call, gradient, [](const auto& at, size_t place) {
            return place == 0 ? 1 - at(2) : place == 1 ? at(2) : at(1) - at(0);
          });
        },
    .is_composite = [](const Op&) { return true; },
    .expand = expand_lerp,
};

const Operation kAdd = {
    .kind = OpKind::add,
    .name = "add",
    .operands = {{{.name = "a", .value = 0}, {.name = "b", .value = 1, .weight = 0}}},
    .width = all_alike,
    .reference = [](const OpCall& call,
                    double* out) { each(call, out, [](const auto& at) { return at(0) + at(1); }); },
    .gradient =
        [](const OpCall& call, const OpGradient& gradient) {
          each_gradient(call, gradient, [](const auto&, size_t) { return 1.0; });
        },
};

const Operation kSub = {
    .kind = OpKind::sub,
    .name = "sub",
    .operands = {{{.name = "a", .value = 0}, {.name = "b", .value = 1}}},
    .width = all_alike,
    .reference = [](const OpCall& call,
                    double* out) { each(call, out, [](const auto& at) { return at(0) - at(1); }); },
    .gradient =
        [](const OpCall& call, const OpGradient& gradient) {
          each_gradient(call, gradient,
                        [](const auto&, size_t place) { return place == 0 ? 1.0 : -1.0; });
        },
};

const Operation kMul = {
    .kind = OpKind::mul,
    .name = "mul",
    .operands = {{{.name = "a", .value = 0}, {.name = "b", .value = 1, .weight = 0}}},
    .width = all_alike,
    .reference = [](const OpCall& call,
                    double* out) { each(call, out, [](const auto& at) { return at(0) * at(1); }); },
    .gradient =
        [](const OpCall& call, const OpGradient& gradient) {
          each_gradient(call, gradient,
                        [](const auto& at, size_t place) { return at(place == 0 ? 1 : 0); });
        },
};

const Operation kUnary = {
    .kind = OpKind::unary,
    .name = "unary",
    .operands = {{{.name = "x", .value = 0}}},
    .width = all_alike,
    .reference =
        [](const OpCall& call, double* out) {
          each(call, out, [&](const auto& at) { return apply(call.op.function, at(0)); });
        },
    .gradient =
        [](const OpCall& call, const OpGradient& gradient) {
          each_gradient(call, gradient, [&](const auto& at, size_t) {
            return derivative(call.op.function, at(0));
          });
        },
};

}  // namespace skein::ops
