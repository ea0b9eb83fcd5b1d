// A step by the operations' definitions: each in double, over values and, from token to token,
// states that are rounded to f32. What the reference executor and the gradients run on.
#pragma once

#include <span>
#include <vector>

#include "base/error.h"
#include "ops/backend.h"
#include "ops/operation.h"

namespace skein::ops {

// The numbers of a program's weights, in the shape of their use; empty where one is not present.
using WeightNumbers = std::vector<std::vector<float>>;

// A step's states are those of HostStates. They are read here and stay as they are until
// store_states(). Program, weights and step are the caller's.
class DefinedStep {
 public:
  DefinedStep(const Program& program, const WeightNumbers& weights, const Step& step);

  // What one operation reads, once those before it have run. The call's states are this step's own.
  OpCall call(const Op& op);
  void run(const Op& op);
  void store_states() const;

  std::span<const float> value(ValueId id) const { return values_[static_cast<size_t>(id)]; }
  int64_t rows(ValueId id) const;
  // A sequence's slots of an operation, as one.
  std::span<double> state(const Op& op, size_t sequence);

 private:
  const Program& program_;
  const WeightNumbers& weights_;
  const Step& step_;
  std::vector<std::vector<float>> values_;
  std::vector<std::vector<double>> states_;  // of each sequence, by the slots' places
  std::vector<OpCall::Sequence> sequences_;  // of the last call
};

}  // namespace skein::ops
