// RWKV-7 "Goose" (arXiv 2503.14456): its time mix is in goose.cpp; the channel mix has no
// receptance.
#include "arch/goose.h"

namespace skein::arch {
namespace {

class Rwkv7 final : public Goose {
 public:
  explicit Rwkv7(const Config& config) : Goose(config) {}
  using Goose::Config;
  using Goose::Parts;
  using Goose::read_time_mix;

 private:
  void channel_weights(LayerWeights& w) const override {
    const auto& d = dimensions();
    w.vector("ffn.x_k", {d.width});
    w.matrix("ffn.key.weight", d.inner, d.width, WeightClass::feed_forward);
    w.matrix("ffn.value.weight", d.width, d.inner, WeightClass::feed_forward);
  }

  Var channel_mix(const Layer& p, Var x) const override {
    Var x_prev = p.previous("ffn.x_prev", x);
    Var xk = p.b.lerp("ffn.xk", x, x_prev, p("ffn.x_k"));
    Var k = p.b.linear("ffn.k", xk, p("ffn.key.weight"), Unary::relu2);
    return p.b.linear("ffn.out", k, p("ffn.value.weight"));
  }
};

}  // namespace

Result<std::unique_ptr<Architecture>> open_rwkv7(const NamedModel& model,
                                                 std::string_view file_name) {
  Rwkv7::Config c;
  SK_TRY_STATUS(read_frame(model, file_name, "blocks.0.ffn.key.weight", c));
  SK_TRY_STATUS(Rwkv7::read_time_mix(model, file_name, Rwkv7::Parts::all, c));
  return std::make_unique<Rwkv7>(c);
}

}  // namespace skein::arch
