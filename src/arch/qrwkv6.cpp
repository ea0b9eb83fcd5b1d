// QRWKV6 (arXiv 2505.03005): a Qwen2 decoder whose attention became a relative of RWKV-6's time
// mix. Mixes and decay are those of RWKV-6 (finch.cpp); besides,
//   k = k (1 - w),   S = diag(w) S + k v^T,   y = r S / sqrt(N)
// there is no bonus and no group norm, the gate is a sigmoid, and heads share keys and values.
#include <cmath>

#include "arch/finch.h"
#include "arch/qwen.h"

namespace skein::arch {
namespace {

class Qrwkv6 final : public Finch {
 public:
  struct Config : Finch::Config {
    int64_t groups = 0;  // heads of keys and values
    bool biases = false;
  };
  explicit Qrwkv6(const Config& config) : Finch(config), config_(config) {}
  using Finch::read_time_mix;

 private:
  void layer_weights(LayerWeights& w) const override {
    const auto& c = config_;
    const int64_t D = c.width, shared = c.groups * c.head_size;
    add_dynamic_weights(w);
    w.matrix("att.receptance.weight", D, D, WeightClass::attention);
    w.matrix("att.key.weight", shared, D, WeightClass::attention);
    w.matrix("att.value.weight", shared, D, WeightClass::attention);
    w.matrix("att.gate.weight", D, D, WeightClass::attention);
    w.matrix("att.output.weight", D, D, WeightClass::attention);
    if (c.biases) {
      w.vector("att.receptance.bias", {D});
      w.vector("att.key.bias", {shared}), w.vector("att.value.bias", {shared});
    }
    add_swiglu(w, c);
  }

  std::vector<StateSpec> layer_state() const override {
    return matrix_state(config_, /*value_first=*/false, ChannelMemory::none);
  }

  Var time_mix(const Layer& p, Var x) const override {
    ops::Recorder& b = p.b;
    const auto H = static_cast<int32_t>(config_.heads), G = static_cast<int32_t>(config_.groups);
    const auto bias = [&](const char* name) { return config_.biases ? p(name) : ops::Weight(); };
    const Mixed xs = mix(p, x);
    Var r = b.linear("att.r", xs.r, p("att.receptance.weight"), Unary::none,
                     bias("att.receptance.bias"));
    Var k = b.linear("att.k", xs.k, p("att.key.weight"), Unary::none, bias("att.key.bias"));
    Var v = b.linear("att.v", xs.v, p("att.value.weight"), Unary::none, bias("att.value.bias"));
    Var g = b.linear("att.g", xs.g, p("att.gate.weight"), Unary::sigmoid);
    Var w = decay(p, xs.w);
    if (G != H) {
      k = b.repeat_heads("att.k_heads", k, G, H);
      v = b.repeat_heads("att.v_heads", v, G, H);
    }
    k = k - k * w;
    const float scale = 1 / std::sqrt(static_cast<float>(config_.head_size));
    Var y = b.wkv6("att.wkv", r, k, v, w, {}, p.slot("att.wkv"), H, scale);
    return b.linear("att.out", y * g, p("att.output.weight"));
  }

  Var channel_mix(const Layer& p, Var x) const override { return swiglu(p, x); }

  Config config_;
};

}  // namespace

Result<std::unique_ptr<Architecture>> open_qrwkv6(const NamedModel& model,
                                                  std::string_view file_name) {
  Qrwkv6::Config c;
  SK_TRY_STATUS(read_qwen_frame(model, file_name, c));
  if (model.hints.head_size < 1)
    return fail(Code::mismatch,
                "{}: does not say how wide a head is (head_size), and no tensor does", file_name);
  SK_TRY_STATUS(Qrwkv6::read_time_mix(model, file_name, model.hints.head_size, c));
  c.groups = model.hints.key_value_heads > 0 ? model.hints.key_value_heads : c.heads;
  if (c.groups > c.heads || c.heads % c.groups != 0)
    return fail(Code::mismatch, "{}: {} heads cannot share keys and values in {} groups", file_name,
                c.heads, c.groups);
  c.biases = model.tensors.contains("blocks.0.att.key.bias");
  const Shapes shapes(model.tensors, file_name);
  for (const char* other : {"blocks.0.att.receptance.bias", "blocks.0.att.value.bias"})
    SK_TRY_STATUS(shapes.both_or_neither("blocks.0.att.key.bias", other));
  return std::make_unique<Qrwkv6>(c);
}

}  // namespace skein::arch
