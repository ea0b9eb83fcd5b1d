// RWKV-6 "Finch" (arXiv 2404.05892): RWKV-5.2's memory with mixes and a decay that depend on the
// token (finch.cpp),
//   y = r (S + diag(u) k v^T),   S = diag(w) S + k v^T
#include "arch/finch.h"

namespace skein::arch {
namespace {

class Rwkv6 final : public Finch {
 public:
  struct Config : Finch::Config {
    // Training normalises the undivided output with 1e-5 * 8^2.
    float group_epsilon = 64e-5f;
  };
  explicit Rwkv6(const Config& config) : Finch(config), config_(config) {}
  using Finch::read_time_mix;

 private:
  void layer_weights(LayerWeights& w) const override {
    const auto& c = config_;
    const int64_t D = c.width;
    add_dynamic_weights(w);
    w.vector("att.time_faaaa", {c.heads, c.head_size});
    for (const char* name : {"att.receptance.weight", "att.key.weight", "att.value.weight",
                             "att.gate.weight", "att.output.weight"})
      w.matrix(name, D, D, WeightClass::attention);
    w.vector("att.ln_x.weight", {D}), w.vector("att.ln_x.bias", {D});
    add_gated_channel_mix(w, c, MixSense::previous);
  }

  std::vector<StateSpec> layer_state() const override {
    return matrix_state(config_, /*value_first=*/false, ChannelMemory::x_prev);
  }

  Var time_mix(const Layer& p, Var x) const override {
    ops::Recorder& b = p.b;
    const auto H = static_cast<int32_t>(config_.heads);
    const Mixed xs = mix(p, x);
    Var r = b.linear("att.r", xs.r, p("att.receptance.weight"));
    Var k = b.linear("att.k", xs.k, p("att.key.weight"));
    Var v = b.linear("att.v", xs.v, p("att.value.weight"));
    Var g = b.linear("att.g", xs.g, p("att.gate.weight"), Unary::silu);
    Var w = decay(p, xs.w);
    Var y = b.wkv6("att.wkv", r, k, v, w, p("att.time_faaaa"), p.slot("att.wkv"), H);
    y = b.group_norm("att.ln_x", y, p("att.ln_x.weight"), p("att.ln_x.bias"), H,
                     config_.group_epsilon);
    return b.linear("att.out", y * g, p("att.output.weight"));
  }

  Var channel_mix(const Layer& p, Var x) const override {
    return gated_channel_mix(p, x, MixSense::previous);
  }

  Config config_;
};

}  // namespace

Result<std::unique_ptr<Architecture>> open_rwkv6(const NamedModel& model,
                                                 std::string_view file_name) {
  Rwkv6::Config c;
  SK_TRY_STATUS(read_frame(model, file_name, "blocks.0.ffn.key.weight", c));
  const Shapes shapes(model.tensors, file_name);
  SK_TRY(const Shape bonus, shapes.of("blocks.0.att.time_faaaa", 2));
  if (bonus[0] < 1 || c.width % bonus[0] != 0)
    return fail(Code::mismatch, "{}: blocks.0.att.time_faaaa is {}, but the embedding is {} wide",
                file_name, bonus.text(), c.width);
  SK_TRY_STATUS(Rwkv6::read_time_mix(model, file_name, c.width / bonus[0], c));
  if (model.hints.group_epsilon > 0) c.group_epsilon = model.hints.group_epsilon;
  return std::make_unique<Rwkv6>(c);
}

}  // namespace skein::arch
