#include "ops/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/finite.h"
#include "ops/host_states.h"
#include "ops/reference_wkv.h"
#include "quant/read.h"

namespace skein::ops {
namespace {

double apply(Unary function, double x) {
  const auto sigmoid = [](double v) { return 1.0 / (1.0 + std::exp(-v)); };
  if (function != Unary::none && !std::isfinite(x)) return std::numeric_limits<double>::quiet_NaN();
  switch (function) {
    case Unary::none: return x;
    case Unary::relu2: return x > 0 ? x * x : 0;
    case Unary::sigmoid: return sigmoid(x);
    case Unary::tanh: return std::tanh(x);
    case Unary::silu: return x * sigmoid(x);
    case Unary::decay: return std::exp(-std::exp(x));
    case Unary::decay7: return std::exp(-std::exp(-0.5) * sigmoid(x));
  }
  return x;
}

class ReferenceExecutable final : public Executable {
 public:
  ReferenceExecutable(Program program, std::vector<std::vector<float>> weights)
      : program_(std::move(program)),
        weights_(std::move(weights)),
        states_(HostStates::of(program_.slots)) {}

  std::shared_ptr<StatePool> states() const override { return states_; }
  bool takes(const DeviceState& state) const override { return states_->is_like(state); }

  Status run(const Step& step) override {
    values_.assign(program_.values.size(), {});
    for (const Op& op : program_.ops) {
      const Value& value = program_.values[static_cast<size_t>(op.out)];
      const size_t rows = value.rows == Rows::tokens ? step.tokens.size() : step.outputs.size();
      auto& out = values_[static_cast<size_t>(op.out)];
      out.assign(rows * static_cast<size_t>(value.width), 0.0f);
      compute(op, step, static_cast<int64_t>(rows), value.width, out);
      if (step.trace) (*step.trace)(value, out);
    }
    const auto& logits = values_[static_cast<size_t>(program_.logits)];
    std::copy(logits.begin(), logits.end(), step.logits);
    const size_t vocab = logits.size() / std::max<size_t>(step.outputs.size(), 1);
    for (size_t i = 0; i < step.not_finite.size(); ++i)
      if (!all_finite(std::span(logits).subspan(i * vocab, vocab))) step.not_finite[i] = 1;
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
  const float* in(const Op& op, int place) const {
    return op.in[place] == kNone ? nullptr : values_[static_cast<size_t>(op.in[place])].data();
  }
  const float* weight(const Op& op, int place) const {
    return op.weight[place] == kNone ? nullptr
                                     : weights_[static_cast<size_t>(op.weight[place])].data();
  }
  int64_t in_width(const Op& op) const {
    return program_.values[static_cast<size_t>(op.in[0])].width;
  }

  void compute(const Op& op, const Step& step, int64_t rows, int64_t width,
               std::vector<float>& out) const {
    switch (op.kind) {
      case OpKind::rows: return lookup(op, step, width, out.data());
      case OpKind::pick: return pick(op, step, width, out.data());
      case OpKind::linear: return linear(op, rows, width, out.data());
      case OpKind::layer_norm:
      case OpKind::group_norm:
      case OpKind::rms_norm:
      case OpKind::l2norm_heads: return normalise(op, rows, width, out.data());
      case OpKind::shift: return shift(op, step, width, out.data());
      case OpKind::wkv4:
      case OpKind::wkv6:
      case OpKind::wkv7: return recurrence(op, step, width, out.data());
      case OpKind::repeat_heads: return repeat_heads(op, rows, width, out.data());
      case OpKind::token_matmul: return token_matmul(op, rows, width, out.data());
      case OpKind::bonus: return bonus(op, rows, width, out.data());
      case OpKind::lerp:
      case OpKind::add:
      case OpKind::sub:
      case OpKind::mul:
      case OpKind::unary: return elementwise(op, rows, width, out.data());
    }
  }

  void lookup(const Op& op, const Step& step, int64_t width, float* y) const {
    for (const int32_t token : step.tokens)
      y = std::copy_n(weight(op, 0) + token * width, width, y);
  }

  void pick(const Op& op, const Step& step, int64_t width, float* y) const {
    for (const int32_t token : step.outputs) y = std::copy_n(in(op, 0) + token * width, width, y);
  }

  void linear(const Op& op, int64_t rows, int64_t width, float* y) const {
    const int64_t inputs = in_width(op);
    for (int64_t t = 0; t < rows; ++t) {
      for (int64_t o = 0; o < width; ++o) {
        double sum = weight(op, 1) ? weight(op, 1)[o] : 0;
        for (int64_t i = 0; i < inputs; ++i)
          sum += double(weight(op, 0)[o * inputs + i]) * in(op, 0)[t * inputs + i];
        y[t * width + o] = static_cast<float>(apply(op.function, sum));
      }
    }
  }

  void normalise(const Op& op, int64_t rows, int64_t width, float* y) const {
    const int64_t size = width / op.heads;
    for (int64_t part = 0; part < rows * op.heads; ++part) {
      const float* x = in(op, 0) + part * size;
      double mean = 0, square = 0;
      if (op.kind == OpKind::layer_norm || op.kind == OpKind::group_norm) {
        for (int64_t i = 0; i < size; ++i) mean += x[i];
        mean /= double(size);
      }
      for (int64_t i = 0; i < size; ++i) square += (x[i] - mean) * (x[i] - mean);
      const double scale = op.kind == OpKind::l2norm_heads
                               ? 1 / std::max(std::sqrt(square), 1e-12)
                               : 1 / std::sqrt(square / double(size) + op.epsilon);
      for (int64_t i = 0; i < size; ++i) {
        const int64_t channel = part % op.heads * size + i;
        double v = (x[i] - mean) * scale;
        if (weight(op, 0)) v *= weight(op, 0)[channel];
        if (weight(op, 1)) v += weight(op, 1)[channel];
        y[part * size + i] = static_cast<float>(v);
      }
    }
  }

  void shift(const Op& op, const Step& step, int64_t width, float* y) const {
    const Slot& slot = program_.slots[static_cast<size_t>(op.slot)];
    for (const Sequence& sequence : step.sequences) {
      if (sequence.begin == sequence.end) continue;
      float* memory = host_state(sequence).floats(slot);
      const float* x = in(op, 0);
      std::copy_n(memory, width, y + sequence.begin * width);
      std::copy(x + sequence.begin * width, x + (sequence.end - 1) * width,
                y + (sequence.begin + 1) * width);
      std::copy_n(x + (sequence.end - 1) * width, width, memory);
    }
  }

  void recurrence(const Op& op, const Step& step, int64_t width, float* y) const {
    WkvRow row = {.width = width, .heads = op.heads, .scale = op.scale};
    const Slot& slot = program_.slots[static_cast<size_t>(op.slot)];
    for (const Sequence& sequence : step.sequences) {
      for (int64_t t = sequence.begin; t < sequence.end; ++t) {
        for (int place = 0; place < 6; ++place)
          row.in[place] = in(op, place) ? in(op, place) + t * width : nullptr;
        for (int place = 0; place < 2; ++place) row.weight[place] = weight(op, place);
        row.state = host_state(sequence).floats(slot);
        row.y = y + t * width;
        reference_wkv(op.kind, row);
      }
    }
  }

  void repeat_heads(const Op& op, int64_t rows, int64_t width, float* y) const {
    const int64_t size = width / op.heads, groups = in_width(op) / size;
    for (int64_t part = 0; part < rows * op.heads; ++part) {
      const int64_t group = part % op.heads / (op.heads / groups);
      y = std::copy_n(in(op, 0) + (part / op.heads * groups + group) * size, size, y);
    }
  }

  void token_matmul(const Op& op, int64_t rows, int64_t width, float* y) const {
    const int64_t inputs = in_width(op);
    for (int64_t t = 0; t < rows; ++t) {
      for (int64_t b = 0; b < width; ++b) {
        double sum = 0;
        for (int64_t a = 0; a < inputs; ++a)
          sum += double(in(op, 0)[t * inputs + a]) * in(op, 1)[(t * inputs + a) * width + b];
        y[t * width + b] = static_cast<float>(sum);
      }
    }
  }

  void bonus(const Op& op, int64_t rows, int64_t width, float* y) const {
    const int64_t n = width / op.heads;
    for (int64_t part = 0; part < rows * op.heads; ++part) {
      const int64_t at = part * n;
      const float* u = weight(op, 0) + part % op.heads * n;
      double sum = 0;
      for (int64_t i = 0; i < n; ++i) sum += double(in(op, 0)[at + i]) * in(op, 1)[at + i] * u[i];
      for (int64_t i = 0; i < n; ++i) y[at + i] = static_cast<float>(sum * in(op, 2)[at + i]);
    }
  }

  void elementwise(const Op& op, int64_t rows, int64_t width, float* y) const {
    // The operand that is a value or, where there is none, a weight that every row shares.
    const int place = op.kind == OpKind::lerp ? 2 : 1;
    for (int64_t i = 0; i < rows * width; ++i) {
      const double a = in(op, 0)[i];
      double other = 0;
      if (op.kind != OpKind::unary)
        other = in(op, place) ? in(op, place)[i] : weight(op, 0)[i % width];
      switch (op.kind) {
        case OpKind::add: y[i] = static_cast<float>(a + other); break;
        case OpKind::sub: y[i] = static_cast<float>(a - other); break;
        case OpKind::mul: y[i] = static_cast<float>(a * other); break;
        case OpKind::lerp: y[i] = static_cast<float>(a + (in(op, 1)[i] - a) * other); break;
        default: y[i] = static_cast<float>(apply(op.function, a)); break;
      }
    }
  }

  Program program_;
  std::vector<std::vector<float>> weights_;
  std::shared_ptr<HostStates> states_;
  std::vector<std::vector<float>> values_;
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
    std::vector<std::vector<float>> all(weights.size());
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
