// RWKV-4 "Dove" (arXiv 2305.13048): an exponentially weighted mean of the values, per channel.
//
// State of a layer: the last input of each mix and, per channel, the mean's numerator aa and
// denominator bb, both divided by e^pp so that keys of some hundreds do not overflow.
#include "arch/shapes.h"
#include "arch/skeleton.h"

namespace skein::arch {
namespace {

class Rwkv4 final : public Skeleton {
 public:
  explicit Rwkv4(const Frame& frame) : Skeleton(frame) {}

 private:
  void layer_weights(LayerWeights& w) const override {
    const int64_t D = frame().width;
    for (const char* mix : {"att.time_mix_k", "att.time_mix_v", "att.time_mix_r"})
      w.vector(mix, {D});
    w.vector("att.time_decay", {D}).prepare = Prepare::neg_exp;
    w.vector("att.time_first", {D});
    for (const char* name :
         {"att.receptance.weight", "att.key.weight", "att.value.weight", "att.output.weight"})
      w.matrix(name, D, D, WeightClass::attention);
    add_gated_channel_mix(w, frame(), MixSense::current);
  }

  std::vector<StateSpec> layer_state() const override {
    const Shape D = {frame().width};
    return {{"att.x_prev", D},
            {"att.aa", D},
            {"att.bb", D},
            {.name = "att.pp", .shape = D, .initial = kNoExponent},
            {"ffn.x_prev", D}};
  }

  Var time_mix(const Layer& p, Var x) const override {
    ops::Recorder& b = p.b;
    Var x_prev = p.previous("att.x_prev", x);
    Var xk = b.lerp("att.xk", x_prev, x, p("att.time_mix_k"));
    Var xv = b.lerp("att.xv", x_prev, x, p("att.time_mix_v"));
    Var xr = b.lerp("att.xr", x_prev, x, p("att.time_mix_r"));
    Var r = b.linear("att.r", xr, p("att.receptance.weight"), Unary::sigmoid);
    Var k = b.linear("att.k", xk, p("att.key.weight"));
    Var v = b.linear("att.v", xv, p("att.value.weight"));
    Var y = b.wkv4("att.wkv", k, v, p("att.time_decay"), p("att.time_first"), p.slot("att.aa"));
    return b.linear("att.out", r * y, p("att.output.weight"));
  }

  Var channel_mix(const Layer& p, Var x) const override {
    return gated_channel_mix(p, x, MixSense::current);
  }
};

}  // namespace

Result<std::unique_ptr<Architecture>> open_rwkv4(const NamedModel& model,
                                                 std::string_view file_name) {
  Skeleton::Frame frame;
  SK_TRY_STATUS(read_frame(model, file_name, "blocks.0.ffn.key.weight", frame));
  return std::make_unique<Rwkv4>(frame);
}

}  // namespace skein::arch
