// The gradients of a step by the operations' own rules, in double: what a trainer's kernels are
// compared with. One thread, every value kept.
#pragma once

#include <span>
#include <vector>

#include "ops/definition.h"

namespace skein::ops {

struct Gradients {
  std::vector<std::vector<double>> weights;  // as WeightNumbers has them
  // Of each sequence, of each slot's numbers before the step (a fixed slot of f32).
  std::vector<std::vector<std::vector<double>>> states;
};

// What a loss changes with, given what it changes with at the step's results: its logits
// [outputs, vocab] and, where that is not nothing, its states afterwards (as Gradients::states).
// The step's states stay as they are, and its `logits` is not written.
Gradients gradients(const Program& program, const WeightNumbers& weights, const Step& step,
                    std::span<const double> of_logits,
                    std::span<const std::vector<std::vector<double>>> of_states = {});

}  // namespace skein::ops
