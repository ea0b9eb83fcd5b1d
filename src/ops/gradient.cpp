#include "ops/gradient.h"

#include <algorithm>

#include "base/check.h"

namespace skein::ops {
namespace {

using SlotGradients = std::vector<std::vector<double>>;

// What one operation found in its slots, of each sequence.
using Before = std::vector<std::vector<double>>;

class Backward {
 public:
  Backward(const Program& program, const WeightNumbers& weights, const Step& step)
      : program_(program), step_(step), forward_(program, weights, step) {
    values_.resize(program.values.size());
    for (size_t v = 0; v < values_.size(); ++v) {
      const auto id = static_cast<ValueId>(v);
      values_[v].resize(static_cast<size_t>(forward_.rows(id) * program.value(id).width));
    }
    for (const auto& numbers : weights) out.weights.emplace_back(numbers.size());
    for (size_t s = 0; s < step.sequences.size(); ++s) {
      auto& slots = out.states.emplace_back();
      for (const Slot& slot : program.slots) slots.emplace_back(static_cast<size_t>(slot.size));
    }
  }

  void run(std::span<const double> of_logits) {
    std::vector<Before> before(program_.ops.size());
    for (size_t i = 0; i < before.size(); ++i) {
      const Op& op = program_.ops[i];
      for (size_t s = 0; s < step_.sequences.size() && op.slot != kNone; ++s) {
        const auto state = forward_.state(op, s);
        before[i].emplace_back(state.begin(), state.end());
      }
      forward_.run(op);
    }
    auto& logits = values_[static_cast<size_t>(program_.logits)];
    SK_CHECK(logits.size() == of_logits.size());
    std::copy(of_logits.begin(), of_logits.end(), logits.begin());
    for (size_t i = before.size(); i-- > 0;) step_back(program_.ops[i], before[i]);
  }

  Gradients out;

 private:
  // Several slots of an operation are taken as one.
  std::vector<double> gathered(const Op& op, size_t sequence) const {
    std::vector<double> all;
    for (SlotId slot = op.slot; slot < op.slot + operation(op).slots; ++slot) {
      const auto& part = out.states[sequence][static_cast<size_t>(slot)];
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }
  void scatter(const Op& op, size_t sequence, const std::vector<double>& all) {
    auto from = all.begin();
    for (SlotId slot = op.slot; slot < op.slot + operation(op).slots; ++slot) {
      auto& part = out.states[sequence][static_cast<size_t>(slot)];
      std::copy_n(from, part.size(), part.begin());
      from += std::ssize(part);
    }
  }

  void step_back(const Op& op, Before& before) {
    const Operation& row = operation(op);
    for (size_t s = 0; s < before.size(); ++s)
      std::copy(before[s].begin(), before[s].end(), forward_.state(op, s).begin());
    const OpCall call = forward_.call(op);
    std::vector<double> of_results;
    for (ValueId made = op.out; made < op.out + op.results; ++made) {
      const auto& part = values_[static_cast<size_t>(made)];
      of_results.insert(of_results.end(), part.begin(), part.end());
    }
    OpGradient gradient = {.out = of_results.data()};
    for (size_t i = 0; i < row.operands.size(); ++i) {
      const Operand& operand = row.operands[i];
      if (operand.in_values(op))
        gradient.in[i] = {values_[static_cast<size_t>(op.in[operand.value])].data(),
                          call.in[i].stride};
      else if (operand.in_weights(op))
        gradient.in[i] = {out.weights[static_cast<size_t>(op.weight[operand.weight])].data(), 0};
    }
    std::vector<std::vector<double>> states;
    std::vector<double*> places;
    for (size_t s = 0; s < before.size(); ++s) {
      states.push_back(gathered(op, s));
      places.push_back(states.back().data());
    }
    gradient.states = places;
    row.gradient(call, gradient);
    for (size_t s = 0; s < states.size(); ++s) scatter(op, s, states[s]);
  }

  const Program& program_;
  const Step& step_;
  DefinedStep forward_;
  std::vector<std::vector<double>> values_;  // gradients of the program's
};

}  // namespace

Gradients gradients(const Program& program, const WeightNumbers& weights, const Step& step,
                    std::span<const double> of_logits, std::span<const SlotGradients> of_states) {
  Backward backward(program, weights, step);
  if (!of_states.empty()) backward.out.states.assign(of_states.begin(), of_states.end());
  backward.run(of_logits);
  return std::move(backward.out);
}

}  // namespace skein::ops
