// Recurrences by their definition over plain arrays, for tests that have no program.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "ops/operation.h"

namespace skein::test {

// Tokens of one sequence, a row each; the state is rounded to f32 at the end, as the reference
// executor's is after a step.
struct OpRows {
  ops::Op op;
  int64_t tokens = 1;
  int64_t width = 0;
  std::array<ops::OpCall::Input, ops::kMostOperands> in{};  // in the order of the table

  std::vector<double> run(std::span<float> state) const {
    std::vector<double> y(static_cast<size_t>(tokens * width)), s(state.begin(), state.end());
    const ops::OpCall::Sequence sequence = {0, tokens, s.data()};
    ops::operation(op).reference(
        {.op = op, .in = in, .rows = tokens, .width = width, .sequences = {&sequence, 1}},
        y.data());
    std::transform(s.begin(), s.end(), state.begin(), [](double x) { return float(x); });
    return y;
  }
};

}  // namespace skein::test
