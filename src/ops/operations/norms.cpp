// A row, or each head of it, brought to one size.
#include <algorithm>
#include <cmath>

#include "ops/operations/all.h"

namespace skein::ops {
namespace {

struct Kind {
  bool centred = false;     // the mean is taken off
  bool mean_square = true;  // divided by the root of the mean square; otherwise by the norm
};

// A head and what it is multiplied with.
struct Head {
  const float* x;
  int64_t size;
  double mean = 0;
  double scale = 0;
  bool tiny = false;  // the norm was replaced by its smallest value

  double centred(int64_t i) const { return (x[i] - mean) * scale; }
};

Head measure(const Kind& kind, const OpCall& call, int64_t part) {
  const int64_t heads = call.op.heads, size = call.width / heads;
  Head head = {.x = call.in[0].row(part / heads) + part % heads * size, .size = size};
  for (int64_t i = 0; i < size && kind.centred; ++i) head.mean += head.x[i] / double(size);
  double square = 0;
  for (int64_t i = 0; i < size; ++i) square += (head.x[i] - head.mean) * (head.x[i] - head.mean);
  constexpr double kSmallest = 1e-12;
  head.tiny = !kind.mean_square && std::sqrt(square) < kSmallest;
  head.scale = kind.mean_square ? 1 / std::sqrt(square / double(size) + call.op.epsilon)
                                : 1 / std::max(std::sqrt(square), kSmallest);
  return head;
}

template <Kind kKind>
void normalise(const OpCall& call, double* out) {
  const auto &w = call.in[1], &b = call.in[2];
  for (int64_t part = 0; part < call.rows * call.op.heads; ++part) {
    const Head head = measure(kKind, call, part);
    const int64_t channel = part % call.op.heads * head.size;
    for (int64_t i = 0; i < head.size; ++i) {
      double y = head.centred(i);
      if (w) y *= w.data[channel + i];
      if (b) y += b.data[channel + i];
      out[part * head.size + i] = y;
    }
  }
}

// With x^ the normalised head and g the gradient of x^:
//   dx = scale (g - mean(g) - x^ mean(g x^)), the first mean only where one was taken off; of a
//   norm with sums instead of means, and without the last term where it is the smallest.
template <Kind kKind>
void normalise_gradient(const OpCall& call, const OpGradient& gradient) {
  const auto& w = call.in[1];
  for (int64_t part = 0; part < call.rows * call.op.heads; ++part) {
    const Head head = measure(kKind, call, part);
    const int64_t heads = call.op.heads, size = head.size;
    const int64_t row = part / heads, channel = part % heads * size;
    const double* dy = gradient.out + part * size;
    const auto g = [&](int64_t i) { return w ? dy[i] * w.data[channel + i] : dy[i]; };
    double sum = 0, along = 0;
    for (int64_t i = 0; i < size; ++i) sum += g(i), along += g(i) * head.centred(i);
    const double mean = kKind.centred ? sum / double(size) : 0;
    if (kKind.mean_square) along /= double(size);
    if (head.tiny) along = 0;
    for (int64_t i = 0; i < size; ++i) {
      const double normal = head.centred(i);
      if (gradient.in[0])
        gradient.in[0].row(row)[channel + i] += head.scale * (g(i) - mean - normal * along);
      if (gradient.in[1]) gradient.in[1].data[channel + i] += dy[i] * normal;
      if (gradient.in[2]) gradient.in[2].data[channel + i] += dy[i];
    }
  }
}

int32_t width(const OpShape& shape) {
  const int32_t x = shape.operands[0];
  for (const int32_t vector : {shape.operands[1], shape.operands[2]})
    if (vector != 0 && vector != x) return 0;
  return shape.divides(x) ? x : 0;
}

// Over one head.
void expand_layer_norm(Program& program, const Op& op) {
  Op group = op;
  group.kind = OpKind::group_norm;
  program.ops.push_back(group);
}

constexpr Kind kCentred = {.centred = true}, kPlain = {}, kUnit = {.mean_square = false};

}  // namespace

const Operation kLayerNorm = {
    .kind = OpKind::layer_norm,
    .name = "layer_norm",
    .operands = {{{.name = "x", .value = 0},
                  {.name = "w", .weight = 0},
                  {.name = "b", .weight = 1}}},
    .across = Across::row,
    .width = width,
    .reference = normalise<kCentred>,
    .gradient = normalise_gradient<kCentred>,
    .is_composite = [](const Op&) { return true; },
    .expand = expand_layer_norm,
};

const Operation kRmsNorm = {
    .kind = OpKind::rms_norm,
    .name = "rms_norm",
    .operands = {{{.name = "x", .value = 0}, {.name = "w", .weight = 0}}},
    .across = Across::row,
    .width = width,
    .reference = normalise<kPlain>,
    .gradient = normalise_gradient<kPlain>,
};

const Operation kGroupNorm = {
    .kind = OpKind::group_norm,
    .name = "group_norm",
    .operands = {{{.name = "x", .value = 0},
                  {.name = "w", .weight = 0},
                  {.name = "b", .weight = 1}}},
    .across = Across::head,
    .width = width,
    .reference = normalise<kCentred>,
    .gradient = normalise_gradient<kCentred>,
};

const Operation kL2NormHeads = {
    .kind = OpKind::l2norm_heads,
    .name = "l2norm_heads",
    .operands = {{{.name = "x", .value = 0}}},
    .across = Across::head,
    .width = width,
    .reference = normalise<kUnit>,
    .gradient = normalise_gradient<kUnit>,
};

}  // namespace skein::ops
