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
  ReferenceExecutable(Program program, WeightNumbers weights)
      : program_(std::move(program)),
        weights_(std::move(weights)),
        states_(HostStates::of(program_.slots)) {}

  std::shared_ptr<StatePool> states() const override { return states_; }
  bool takes(const DeviceState& state) const override { return states_->is_like(state); }

  Status run(const Step& step) override {
    DefinedStep defined(program_, weights_, step);
    for (const Op& op : program_.ops) {
      defined.run(op);
      for (ValueId out = op.out; step.trace && out < op.out + op.results; ++out)
        (*step.trace)(program_.value(out), defined.value(out));
    }
    defined.store_states();
    const auto logits = defined.value(program_.logits);
    std::copy(logits.begin(), logits.end(), step.logits);
    const size_t vocab = logits.size() / std::max<size_t>(step.outputs.size(), 1);
    for (size_t i = 0; i < step.not_finite.size(); ++i)
      if (!all_finite(logits.subspan(i * vocab, vocab))) step.not_finite[i] = 1;
    return {};
  }

  int64_t weight_bytes() const override {
    size_t floats = 0;
    for (const auto& weight : weights_) floats += weight.size();
    return static_cast<int64_t>(floats * sizeof(float));
  }
  int64_t bytes_per_token() const override { return weight_bytes(); }
  int64_t flops_per_token() const override { return weight_bytes() / 2; }

 private:
  Program program_;
  WeightNumbers weights_;
  std::shared_ptr<HostStates> states_;
};

class ReferenceBackend final : public Backend {
 public:
  std::string describe() const override { return "reference"; }

  MemoryNeeds needs(const Program& program, std::span<const WeightData> weights,
                    int64_t tokens) const override {
    constexpr int64_t kFloat = sizeof(float);
    MemoryNeeds out;
    for (const WeightData& weight : weights)
      if (weight.present) out.host.weights += weight.tensor.shape.elements() * kFloat;
    for (const Value& value : program.values) out.host.step += value.width * tokens * kFloat;
    out.host.state = HostStates::of(program.slots)->bytes_each();
    return out;
  }

  Result<std::unique_ptr<Executable>> compile(const Program& program,
                                              std::span<const WeightData> weights,
                                              const std::function<void(const WeightData&)>& done,
                                              const Progress& progress) override {
    WeightNumbers all(weights.size());
    for (size_t i = 0; i < weights.size(); ++i) {
      if (!weights[i].present) continue;
      all[i].resize(static_cast<size_t>(weights[i].tensor.shape.elements()));
      SK_TRY_STATUS(quant::read_f32(weights[i].tensor, all[i]));
      if (done) done(weights[i]);
      if (progress && !progress(static_cast<int64_t>(weights[i].tensor.storage.size())))
        return fail(Code::io, "interrupted while loading");
    }
    return std::make_unique<ReferenceExecutable>(program, std::move(all));
  }
};

}  // namespace

std::unique_ptr<Backend> reference_backend() { return std::make_unique<ReferenceBackend>(); }

}  // namespace skein::ops
