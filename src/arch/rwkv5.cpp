// RWKV-5.0, 5.1 and 5.2 "Eagle" (arXiv 2404.05892): a matrix of memory per head,
//   y = r (S + diag(u) k v^T),   S = diag(w) S + k v^T
// with a constant decay w and bonus u, one number a head in 5.0 and 5.1, one a key channel in 5.2.
// 5.0 has no gate.
#include "arch/shapes.h"
#include "arch/skeleton.h"

namespace skein::arch {
namespace {

struct Config : Skeleton::Frame {
  bool gate = true;
  bool decay_per_channel = true;
  bool bonus_per_channel = true;
  // The name says whether the bonus is stored as a logarithm: time_first is, time_faaaa is not.
  bool bonus_is_log = false;
  // Training divides by 8 and normalises with 1e-5; undivided, that is 1e-5 * 8^2.
  float group_epsilon = 64e-5f;
};

class Rwkv5 final : public Skeleton {
 public:
  explicit Rwkv5(const Config& config) : Skeleton(config), config_(config) {}

 private:
  const char* bonus_name() const {
    return config_.bonus_is_log ? "att.time_first" : "att.time_faaaa";
  }

  void layer_weights(LayerWeights& w) const override {
    const auto& c = config_;
    const int64_t D = c.width;
    for (const char* mix : {"att.time_mix_k", "att.time_mix_v", "att.time_mix_r"})
      w.vector(mix, {D});
    if (c.gate) w.vector("att.time_mix_g", {D});
    const Shape per_head = {c.heads}, per_channel = {c.heads, c.head_size};
    WeightSpec& decay = w.vector("att.time_decay", c.decay_per_channel ? per_channel : per_head);
    decay.prepare = Prepare::decay;
    decay.repeat = c.decay_per_channel ? 1 : c.head_size;
    WeightSpec& bonus = w.vector(bonus_name(), c.bonus_per_channel ? per_channel : per_head);
    bonus.prepare = c.bonus_is_log ? Prepare::exp : Prepare::none;
    bonus.repeat = c.bonus_per_channel ? 1 : c.head_size;
    for (const char* name :
         {"att.receptance.weight", "att.key.weight", "att.value.weight", "att.output.weight"})
      w.matrix(name, D, D, WeightClass::attention);
    if (c.gate) w.matrix("att.gate.weight", D, D, WeightClass::attention);
    w.vector("att.ln_x.weight", {D}), w.vector("att.ln_x.bias", {D});
    add_gated_channel_mix(w, c, MixSense::current);
  }

  std::vector<StateSpec> layer_state() const override {
    return matrix_state(config_, /*value_first=*/false, ChannelMemory::x_prev);
  }

  Var time_mix(const Layer& p, Var x) const override {
    ops::Recorder& b = p.b;
    const auto H = static_cast<int32_t>(config_.heads);
    Var x_prev = p.previous("att.x_prev", x);
    Var xk = b.lerp("att.xk", x_prev, x, p("att.time_mix_k"));
    Var xv = b.lerp("att.xv", x_prev, x, p("att.time_mix_v"));
    Var xr = b.lerp("att.xr", x_prev, x, p("att.time_mix_r"));
    Var r = b.linear("att.r", xr, p("att.receptance.weight"));
    Var k = b.linear("att.k", xk, p("att.key.weight"));
    Var v = b.linear("att.v", xv, p("att.value.weight"));
    Var y = b.wkv6("att.wkv", r, k, v, p("att.time_decay"), p(bonus_name()), p.slot("att.wkv"), H);
    y = b.group_norm("att.ln_x", y, p("att.ln_x.weight"), p("att.ln_x.bias"), H,
                     config_.group_epsilon);
    if (config_.gate) {
      Var xg = b.lerp("att.xg", x_prev, x, p("att.time_mix_g"));
      y = y * b.linear("att.g", xg, p("att.gate.weight"), Unary::silu);
    }
    return b.linear("att.out", y, p("att.output.weight"));
  }

  Var channel_mix(const Layer& p, Var x) const override {
    return gated_channel_mix(p, x, MixSense::current);
  }

  Config config_;
};

}  // namespace

Result<std::unique_ptr<Architecture>> open_rwkv5(const NamedModel& model,
                                                 std::string_view file_name) {
  Config c;
  SK_TRY_STATUS(read_frame(model, file_name, "blocks.0.ffn.key.weight", c));
  const Shapes shapes(model.tensors, file_name);
  SK_TRY(const Shape decay, shapes.of("blocks.0.att.time_decay", 0));
  c.bonus_is_log = model.tensors.contains("blocks.0.att.time_first") &&
                   !model.tensors.contains("blocks.0.att.time_faaaa");
  const std::string bonus_name =
      fmt::format("blocks.0.att.{}", c.bonus_is_log ? "time_first" : "time_faaaa");
  SK_TRY(const Shape bonus, shapes.of(bonus_name, 0));
  const int64_t heads = decay.rank() > 0 ? decay[0] : 0;
  if (heads < 1 || c.width % heads != 0)
    return fail(Code::mismatch, "{}: blocks.0.att.time_decay is {}, but the embedding is {} wide",
                file_name, decay.text(), c.width);
  SK_TRY_STATUS(divide_heads(file_name, c.width / heads, c));
  const auto per_channel = [&](const Shape& shape) { return shape.elements() == c.width; };
  // With heads of one channel the two are the same.
  c.decay_per_channel = per_channel(decay);
  c.bonus_per_channel = per_channel(bonus);
  c.gate = model.tensors.contains("blocks.0.att.gate.weight");
  SK_TRY_STATUS(shapes.both_or_neither("blocks.0.att.gate.weight", "blocks.0.att.time_mix_g"));
  if (model.hints.group_epsilon > 0) c.group_epsilon = model.hints.group_epsilon;
  return std::make_unique<Rwkv5>(c);
}

}  // namespace skein::arch
