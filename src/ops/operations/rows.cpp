// Whole rows, moved: from a table, to the wanted outputs, from one token to the next.
#include <algorithm>

#include "ops/operations/all.h"

namespace skein::ops {
namespace {

void look_up(const OpCall& call, double* out) {
  for (size_t t = 0; t < call.tokens.size(); ++t)
    std::copy_n(call.in[0].data + call.tokens[t] * call.width, call.width,
                out + static_cast<int64_t>(t) * call.width);
}

void look_up_gradient(const OpCall& call, const OpGradient& gradient) {
  if (!gradient.in[0]) return;
  for (size_t t = 0; t < call.tokens.size(); ++t)
    for (int64_t i = 0; i < call.width; ++i)
      gradient.in[0].data[call.tokens[t] * call.width + i] +=
          gradient.out[static_cast<int64_t>(t) * call.width + i];
}

void pick(const OpCall& call, double* out) {
  for (size_t o = 0; o < call.outputs.size(); ++o)
    std::copy_n(call.in[0].row(call.outputs[o]), call.width,
                out + static_cast<int64_t>(o) * call.width);
}

void pick_gradient(const OpCall& call, const OpGradient& gradient) {
  if (!gradient.in[0]) return;
  for (size_t o = 0; o < call.outputs.size(); ++o)
    for (int64_t i = 0; i < call.width; ++i)
      gradient.in[0].row(call.outputs[o])[i] +=
          gradient.out[static_cast<int64_t>(o) * call.width + i];
}

void shift(const OpCall& call, double* out) {
  const auto& x = call.in[0];
  for (const auto& [begin, end, state] : call.sequences) {
    if (begin == end) continue;
    std::copy_n(state, call.width, out + begin * call.width);
    for (int64_t t = begin + 1; t < end; ++t)
      std::copy_n(x.row(t - 1), call.width, out + t * call.width);
    std::copy_n(x.row(end - 1), call.width, state);
  }
}

void shift_gradient(const OpCall& call, const OpGradient& gradient) {
  for (size_t s = 0; s < call.sequences.size(); ++s) {
    const auto& [begin, end, state] = call.sequences[s];
    if (begin == end) continue;
    for (int64_t i = 0; i < call.width; ++i) {
      const auto& dx = gradient.in[0];
      for (int64_t t = begin; t + 1 < end && dx; ++t)
        dx.row(t)[i] += gradient.out[(t + 1) * call.width + i];
      if (dx) dx.row(end - 1)[i] += gradient.states[s][i];
      gradient.states[s][i] = gradient.out[begin * call.width + i];
    }
  }
}

int32_t same_width(const OpShape& shape) { return shape.operands[0]; }

}  // namespace

const Operation kRows = {
    .kind = OpKind::rows,
    .name = "rows",
    .operands = {{{.name = "table", .weight = 0}}},
    .along = Along::chosen,
    .width = same_width,
    .reference = look_up,
    .gradient = look_up_gradient,
};

const Operation kPick = {
    .kind = OpKind::pick,
    .name = "pick",
    .operands = {{{.name = "x", .value = 0}}},
    .along = Along::chosen,
    .width = same_width,
    .reference = pick,
    .gradient = pick_gradient,
};

const Operation kShift = {
    .kind = OpKind::shift,
    .name = "shift",
    .operands = {{{.name = "x", .value = 0}}},
    .along = Along::previous,
    .slot_use = SlotUse::last_row,
    .slots = 1,
    .width = same_width,
    .slot_size = [](const Op&, int64_t width) { return width; },
    .reference = shift,
    .gradient = shift_gradient,
};

}  // namespace skein::ops
