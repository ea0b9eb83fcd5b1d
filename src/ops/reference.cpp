#include "ops/reference.h"

#include <algorithm>
#include <utility>

#include "base/finite.h"
#include "ops/definition.h"
#include "ops/host_states.h"
#include "quant/read.h"

namespace skein::ops {
namespace {

class ReferenceExecutable final : public Executable {
 public:
  ReferenceExecutable(Program program, WeightNumbers weights, std::vector<std::string> notes)
      : program_(std::move(program)),
        weights_(std::move(weights)),
        states_(HostStates::of(program_.slots)) {
    for (const auto& weight : weights_) {
      facts_.weight_bytes += std::ssize(weight) * int64_t{sizeof(float)};
      facts_.flops_per_token += 2 * std::ssize(weight);
    }
    facts_.bytes_per_token = facts_.weight_bytes;
    facts_.notes = std::move(notes);
  }

  std::shared_ptr<StatePool> states() const override { return states_; }
  bool takes(const DeviceState& state) const override { return states_->is_like(state); }

  Status run(const Step& step) override {
    DefinedStep defined(program_, weights_, step);
    const Op& head = program_.head();
    for (const Op& op : program_.ops) {
      if (&op == &head && !step.logits) continue;
      defined.run(op);
      for (ValueId out = op.out; step.trace && out < op.out + op.results; ++out)
        (*step.trace)(program_.value(out), defined.value(out));
    }
    defined.store_states();
    const auto hidden = defined.value(head.in[0]);
    if (step.hidden) std::copy(hidden.begin(), hidden.end(), step.hidden);
    const auto logits = step.logits ? defined.value(program_.logits) : hidden;
    if (step.logits) std::copy(logits.begin(), logits.end(), step.logits);
    const size_t width = logits.size() / std::max<size_t>(step.outputs.size(), 1);
    for (size_t i = 0; i < step.not_finite.size(); ++i)
      if (!all_finite(logits.subspan(i * width, width))) step.not_finite[i] = 1;
    return {};
  }

  const Facts& facts() const override { return facts_; }

 private:
  Program program_;
  WeightNumbers weights_;
  std::shared_ptr<HostStates> states_;
  Facts facts_;
};

class ReferenceBackend final : public Backend {
 public:
  std::string describe() const override { return "reference"; }

  Outlook outlook(const Program& program, std::span<const WeightData> weights,
                  int64_t tokens) const override {
    constexpr int64_t kFloat = sizeof(float);
    Outlook out;
    MemoryNeed& host = out.memory.host;
    for (const WeightData& weight : weights)
      if (weight.present) host.weights += weight.tensor.shape.elements() * kFloat;
    // Every value, and in double one at a time and the state of each sequence of the step, of which
    // there may be as many as tokens.
    int64_t widest = 0;
    for (const Value& value : program.values) {
      host.step += value.width * tokens * kFloat;
      widest = std::max<int64_t>(widest, value.width);
    }
    host.step += widest * tokens * int64_t{sizeof(double)};
    host.state = HostStates::of(program.slots)->bytes_each();
    host.state += 2 * program.state_bytes();
    return out;
  }

  Result<std::unique_ptr<Executable>> compile(const Program& program,
                                              std::span<const WeightData> weights,
                                              const CompileOptions& options) override {
    WeightNumbers all(weights.size());
    int64_t bytes_done = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      if (!weights[i].present) continue;
      all[i].resize(static_cast<size_t>(weights[i].tensor.shape.elements()));
      SK_TRY_STATUS(quant::read_f32(weights[i].tensor, all[i]));
      if (options.done) options.done(weights[i]);
      bytes_done += static_cast<int64_t>(weights[i].tensor.storage.size());
      if (options.progress && !options.progress(bytes_done))
        return fail(Code::io, "interrupted while loading");
    }
    std::vector<std::string> notes;
    if (options.sparse == Sparse::on) notes.push_back("the device cannot skip zeros");
    if (options.two_plane == TwoPlane::on)
      notes.push_back("the head has no second plane: the device has none");
    return std::make_unique<ReferenceExecutable>(program, std::move(all), std::move(notes));
  }
};

}  // namespace

std::unique_ptr<Backend> reference_backend() { return std::make_unique<ReferenceBackend>(); }

}  // namespace skein::ops
