#include "ops/definition.h"

#include <algorithm>

#include "ops/host_states.h"

namespace skein::ops {
namespace {

bool is_numbers(const Slot& slot) {
  return slot.growth == Growth::fixed && slot.type == DType::f32;
}
size_t place_of(const Slot& slot) { return static_cast<size_t>(slot.offset) / sizeof(float); }

}  // namespace

DefinedStep::DefinedStep(const Program& program, const WeightNumbers& weights, const Step& step)
    : program_(program), weights_(weights), step_(step), values_(program.values.size()) {
  for (const Sequence& sequence : step.sequences) {
    auto& numbers =
        states_.emplace_back(static_cast<size_t>(program.state_bytes()) / sizeof(float));
    for (const Slot& slot : program.slots)
      if (is_numbers(slot))
        std::copy_n(host_state(sequence).floats(slot), slot.size,
                    numbers.begin() + static_cast<std::ptrdiff_t>(place_of(slot)));
  }
}

int64_t DefinedStep::rows(ValueId id) const {
  const bool tokens = program_.value(id).rows == Rows::tokens;
  return static_cast<int64_t>(tokens ? step_.tokens.size() : step_.outputs.size());
}

std::span<double> DefinedStep::state(const Op& op, size_t sequence) {
  const Slot& first = program_.slot(op.slot);
  return std::span(states_[sequence])
      .subspan(place_of(first), static_cast<size_t>(operation(op).slots * first.size));
}

OpCall DefinedStep::call(const Op& op) {
  const Operation& row = operation(op);
  sequences_.clear();
  for (size_t i = 0; i < step_.sequences.size() && row.slots > 0; ++i)
    sequences_.push_back({step_.sequences[i].begin, step_.sequences[i].end, state(op, i).data()});
  OpCall call = {.op = op,
                 .rows = rows(op.out),
                 .width = program_.value(op.out).width,
                 .sequences = sequences_,
                 .tokens = step_.tokens,
                 .outputs = step_.outputs};
  for (size_t i = 0; i < row.operands.size(); ++i) {
    const Operand& operand = row.operands[i];
    if (operand.in_values(op)) {
      const ValueId id = op.in[operand.value];
      const int64_t width = program_.value(id).width;
      call.in[i] = {.data = value(id).data(), .stride = width, .width = width};
    } else if (operand.in_weights(op)) {
      const auto& numbers = weights_[static_cast<size_t>(op.weight[operand.weight])];
      call.in[i] = {.data = numbers.data(), .stride = 0, .width = std::ssize(numbers)};
    }
  }
  return call;
}

void DefinedStep::run(const Op& op) {
  size_t count = 0;
  for (ValueId out = op.out; out < op.out + op.results; ++out) {
    auto& numbers = values_[static_cast<size_t>(out)];
    numbers.resize(static_cast<size_t>(rows(out) * program_.value(out).width));
    count += numbers.size();
  }
  std::vector<double> all(count);
  OpCall call = this->call(op);
  if (operation(op).slot_use == SlotUse::recurrent) {
    // Token by token, so that it does not matter how a text is cut into steps.
    for (size_t i = 0; i < sequences_.size(); ++i) {
      const OpCall::Sequence whole = sequences_[i];
      for (int64_t t = whole.begin; t < whole.end; ++t) {
        const OpCall::Sequence one = {t, t + 1, whole.state};
        call.sequences = {&one, 1};
        operation(op).reference(call, all.data());
        for (double& number : state(op, i)) number = static_cast<float>(number);
      }
    }
  } else {
    operation(op).reference(call, all.data());
  }
  auto from = all.begin();
  for (ValueId out = op.out; out < op.out + op.results; ++out) {
    auto& numbers = values_[static_cast<size_t>(out)];
    const auto end = from + std::ssize(numbers);
    std::transform(from, end, numbers.begin(), [](double x) { return static_cast<float>(x); });
    from = end;
  }
}

void DefinedStep::store_states() const {
  for (size_t i = 0; i < states_.size(); ++i)
    for (const Slot& slot : program_.slots)
      if (is_numbers(slot))
        std::transform(states_[i].begin() + static_cast<std::ptrdiff_t>(place_of(slot)),
                       states_[i].begin() + static_cast<std::ptrdiff_t>(place_of(slot)) + slot.size,
                       host_state(step_.sequences[i]).floats(slot),
                       [](double x) { return static_cast<float>(x); });
}

}  // namespace skein::ops
