// Sums of products: with a matrix, with a matrix of the token's own, within a head.
#include <algorithm>

#include "ops/operations/all.h"

namespace skein::ops {
namespace {

// W x + b, before the function.
double product(const OpCall& call, int64_t t, int64_t o) {
  const auto &x = call.in[0], &w = call.in[1], &b = call.in[2];
  double sum = b ? b.data[o] : 0;
  for (int64_t i = 0; i < x.width; ++i) sum += double{w.data[o * x.width + i]} * x.row(t)[i];
  return sum;
}

void linear(const OpCall& call, double* out) {
  for (int64_t t = 0; t < call.rows; ++t)
    for (int64_t o = 0; o < call.width; ++o)
      out[t * call.width + o] = apply(call.op.function, product(call, t, o));
}

void linear_gradient(const OpCall& call, const OpGradient& gradient) {
  const auto &x = call.in[0], &w = call.in[1];
  for (int64_t t = 0; t < call.rows; ++t) {
    for (int64_t o = 0; o < call.width; ++o) {
      const double dz =
          gradient.out[t * call.width + o] * derivative(call.op.function, product(call, t, o));
      for (int64_t i = 0; i < x.width; ++i) {
        if (gradient.in[0]) gradient.in[0].row(t)[i] += dz * w.data[o * x.width + i];
        if (gradient.in[1]) gradient.in[1].data[o * x.width + i] += dz * x.row(t)[i];
      }
      if (gradient.in[2]) gradient.in[2].data[o] += dz;
    }
  }
}

bool is_fused(const Op& op) { return op.weight[1] != kNone || op.function != Unary::none; }

void expand_linear(Program& program, const Op& op) {
  const bool bias = op.weight[1] != kNone, function = op.function != Unary::none;
  ValueId last = append_value(program, op.out, ".product");
  Op product = {.kind = OpKind::linear, .out = last};
  product.in[0] = op.in[0];
  product.weight[0] = op.weight[0];
  program.ops.push_back(product);
  if (bias) {
    const ValueId sum = function ? append_value(program, op.out, ".sum") : op.out;
    Op add = {.kind = OpKind::add, .out = sum};
    add.in[0] = last;
    add.weight[0] = op.weight[1];
    program.ops.push_back(add);
    last = sum;
  }
  if (function) {
    Op unary = {.kind = OpKind::unary, .out = op.out, .function = op.function};
    unary.in[0] = last;
    program.ops.push_back(unary);
  }
}

// f(row, place of x, place of m, place of y) for each product that a sum has.
template <typename Function>
void each_product(const OpCall& call, const Function& f) {
  const int64_t heads = call.op.heads, in = call.in[0].width / heads, out = call.width / heads;
  for (int64_t t = 0; t < call.rows; ++t)
    for (int64_t x = 0; x < heads * in; ++x)
      for (int64_t b = 0; b < out; ++b) f(t, x, x * out + b, x / in * out + b);
}

void token_matmul(const OpCall& call, double* out) {
  std::fill_n(out, call.rows * call.width, 0.0);
  each_product(call, [&](int64_t t, int64_t x, int64_t m, int64_t y) {
    out[t * call.width + y] += double{call.in[0].row(t)[x]} * call.in[1].row(t)[m];
  });
}

void token_matmul_gradient(const OpCall& call, const OpGradient& gradient) {
  each_product(call, [&](int64_t t, int64_t x, int64_t m, int64_t y) {
    const double dy = gradient.out[t * call.width + y];
    if (gradient.in[0]) gradient.in[0].row(t)[x] += dy * call.in[1].row(t)[m];
    if (gradient.in[1]) gradient.in[1].row(t)[m] += dy * call.in[0].row(t)[x];
  });
}

void bonus(const OpCall& call, double* out) {
  const auto &r = call.in[0], &k = call.in[1], &v = call.in[2], &u = call.in[3];
  const int64_t n = call.width / call.op.heads;
  for (int64_t t = 0; t < call.rows; ++t) {
    for (int64_t head = 0; head < call.width; head += n) {
      double sum = 0;
      for (int64_t i = head; i < head + n; ++i)
        sum += double{r.row(t)[i]} * k.row(t)[i] * u.data[i];
      for (int64_t i = head; i < head + n; ++i) out[t * call.width + i] = sum * v.row(t)[i];
    }
  }
}

void bonus_gradient(const OpCall& call, const OpGradient& gradient) {
  const int64_t n = call.width / call.op.heads;
  for (int64_t t = 0; t < call.rows; ++t) {
    const float *r = call.in[0].row(t), *k = call.in[1].row(t), *v = call.in[2].row(t);
    const float* u = call.in[3].data;
    const double* dy = gradient.out + t * call.width;
    for (int64_t head = 0; head < call.width; head += n) {
      double sum = 0, of_sum = 0;
      for (int64_t i = head; i < head + n; ++i)
        sum += double{r[i]} * k[i] * u[i], of_sum += dy[i] * v[i];
      for (int64_t i = head; i < head + n; ++i) {
        if (gradient.in[0]) gradient.in[0].row(t)[i] += of_sum * k[i] * u[i];
        if (gradient.in[1]) gradient.in[1].row(t)[i] += of_sum * r[i] * u[i];
        if (gradient.in[2]) gradient.in[2].row(t)[i] += sum * dy[i];
        if (gradient.in[3]) gradient.in[3].data[i] += of_sum * r[i] * k[i];
      }
    }
  }
}

// The sum over a head is a product with a matrix of one column.
void expand_bonus(Program& program, const Op& op) {
  const int32_t width = program.value(op.out).width;
  const ValueId weighted = append_value(program, op.out, ".weighted");
  Op weigh = {.kind = OpKind::mul, .out = weighted};
  weigh.in[0] = op.in[0];
  weigh.weight[0] = op.weight[0];
  program.ops.push_back(weigh);

  const ValueId sums = append_value(program, op.out, ".sums", op.heads);
  Op sum = {.kind = OpKind::token_matmul, .out = sums, .heads = op.heads};
  sum.in[0] = weighted;
  sum.in[1] = op.in[1];
  program.ops.push_back(sum);

  const ValueId repeated = append_value(program, op.out, ".repeated");
  Op repeat = {.kind = OpKind::repeat_heads, .out = repeated, .heads = width, .groups = op.heads};
  repeat.in[0] = sums;
  program.ops.push_back(repeat);

  Op scale = {.kind = OpKind::mul, .out = op.out};
  scale.in[0] = repeated;
  scale.in[1] = op.in[2];
  program.ops.push_back(scale);
}

// Where in x the number at `i` of the result comes from.
int64_t source(const OpCall& call, int64_t i) {
  const int64_t size = call.width / call.op.heads, times = call.width / call.in[0].width;
  return i / size / times * size + i % size;
}

void repeat_heads(const OpCall& call, double* out) {
  for (int64_t t = 0; t < call.rows; ++t)
    for (int64_t i = 0; i < call.width; ++i)
      out[t * call.width + i] = call.in[0].row(t)[source(call, i)];
}

void repeat_heads_gradient(const OpCall& call, const OpGradient& gradient) {
  if (!gradient.in[0]) return;
  for (int64_t t = 0; t < call.rows; ++t)
    for (int64_t i = 0; i < call.width; ++i)
      gradient.in[0].row(t)[source(call, i)] += gradient.out[t * call.width + i];
}

}  // namespace

const Operation kLinear = {
    .kind = OpKind::linear,
    .name = "linear",
    // W: [out, in]
    .operands = {{{.name = "x", .value = 0},
                  {.name = "W", .weight = 0},
                  {.name = "b", .weight = 1, .optional = true}}},
    .across = Across::row,
    .width =
        [](const OpShape& shape) {
          const int32_t w = shape.operands[1], b = shape.operands[2];
          return b == 0 || b == w ? w : 0;
        },
    .flops = [](const Op&, int64_t inputs, int64_t width) { return 2 * inputs * width; },
    .reference = linear,
    .gradient = linear_gradient,
    .is_composite = is_fused,
    .expand = expand_linear,
};

const Operation kTokenMatmul = {
    .kind = OpKind::token_matmul,
    .name = "token_matmul",
    .operands = {{{.name = "x", .value = 0}, {.name = "m", .value = 1}}},
    .across = Across::row,
    .width =
        [](const OpShape& shape) {
          const int32_t x = shape.operands[0], m = shape.operands[1];
          return shape.divides(x) && m % x == 0 ? m / x * shape.op.heads : 0;
        },
    .flops = [](const Op& op, int64_t inputs,
                int64_t width) { return 2 * inputs * width / op.heads; },
    .reference = token_matmul,
    .gradient = token_matmul_gradient,
};

const Operation kBonus = {
    .kind = OpKind::bonus,
    .name = "bonus",
    .operands = {{{.name = "r", .value = 0},
                  {.name = "k", .value = 1},
                  {.name = "v", .value = 2},
                  {.name = "u", .weight = 0}}},
    .across = Across::head,
    .width =
        [](const OpShape& shape) {
          for (size_t i = 1; i < 4; ++i)
            if (shape.operands[i] != shape.operands[0]) return 0;
          return shape.divides(shape.operands[0]) ? shape.operands[0] : 0;
        },
    .reference = bonus,
    .gradient = bonus_gradient,
    .is_composite = [](const Op&) { return true; },
    .expand = expand_bonus,
};

const Operation kRepeatHeads = {
    .kind = OpKind::repeat_heads,
    .name = "repeat_heads",
    .operands = {{{.name = "x", .value = 0}}},
    .across = Across::row,
    .width =
        [](const OpShape& shape) {
          const int32_t x = shape.operands[0], groups = shape.op.groups, heads = shape.op.heads;
          if (groups <= 0 || heads <= 0 || x % groups != 0 || heads % groups != 0) return 0;
          return x / groups * heads;
        },
    .reference = repeat_heads,
    .gradient = repeat_heads_gradient,
};

}  // namespace skein::ops
