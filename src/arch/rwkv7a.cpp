// RWKV-7a: RWKV-7 whose channel mix is scaled by a table of the current token ("DeepEmbed",
// RWKV-LM's rwkv_v7a_demo.py). Per layer, with E the token's embedding after ln0:
//   M = s_emb[token] + s_emb_x E, seen as [32, 32];   k = relu2(Wk xk) * ((x s1) M s2 + s0)
// The table is most of the file and one row of it is read a token, so it stays there.
#include "arch/goose.h"

namespace skein::arch {
namespace {

class Rwkv7a final : public Goose {
 public:
  struct Config : Goose::Config {
    int64_t rank_s = 0;   // of x s1
    int64_t table_s = 0;  // columns of s_emb, rank_s squared in every known file
  };
  explicit Rwkv7a(const Config& config) : Goose(config), config_(config) {}
  using Goose::Parts;
  using Goose::read_time_mix;

 private:
  void channel_weights(LayerWeights& w) const override {
    const auto& c = config_;
    w.vector("ffn.x_k", {c.width});
    w.matrix("ffn.key.weight", c.inner, c.width, WeightClass::feed_forward);
    w.matrix("ffn.value.weight", c.width, c.inner, WeightClass::feed_forward);
    w.matrix("ffn.s_emb.weight", c.vocab, c.table_s, WeightClass::embedding);
    w.matrix("ffn.s_emb_x.weight", c.table_s, c.width, WeightClass::feed_forward);
    w.vector("ffn.s0", {c.inner});
    w.low_rank("ffn.s1", {c.width, c.rank_s});
    w.low_rank("ffn.s2", {c.table_s / c.rank_s, c.inner});
  }

  Var channel_mix(const Layer& p, Var x) const override {
    ops::Recorder& b = p.b;
    Var x_prev = p.previous("ffn.x_prev", x);
    Var xk = b.lerp("ffn.xk", x, x_prev, p("ffn.x_k"));
    Var m = b.add("ffn.m",
                  b.rows("ffn.s_emb", p("ffn.s_emb.weight"), static_cast<int32_t>(config_.table_s)),
                  b.linear("ffn.s_x", p.shared.embedded, p("ffn.s_emb_x.weight")));
    // Of x itself, not of the mix with the token before.
    Var s = b.token_matmul("ffn.s", b.linear("ffn.s_low", x, p("ffn.s1")), m);
    Var scale = b.linear("ffn.scale", s, p("ffn.s2"), Unary::none, p("ffn.s0"));
    Var k = b.linear("ffn.k", xk, p("ffn.key.weight"), Unary::relu2) * scale;
    return b.linear("ffn.out", k, p("ffn.value.weight"));
  }

  Config config_;
};

}  // namespace

Result<std::unique_ptr<Architecture>> open_rwkv7a(const NamedModel& model,
                                                  std::string_view file_name) {
  Rwkv7a::Config c;
  SK_TRY_STATUS(read_frame(model, file_name, "blocks.0.ffn.key.weight", c));
  SK_TRY_STATUS(Rwkv7a::read_time_mix(model, file_name, Rwkv7a::Parts::all, c));
  const Shapes shapes(model.tensors, file_name);
  SK_TRY(c.rank_s, shapes.rank_of("blocks.0.ffn.s1"));
  SK_TRY(c.table_s, shapes.rank_of("blocks.0.ffn.s_emb.weight"));
  if (c.table_s % c.rank_s != 0)
    return fail(Code::mismatch, "{}: blocks.0.ffn.s_emb.weight has {} columns, not rows of {}",
                file_name, c.table_s, c.rank_s);
  return std::make_unique<Rwkv7a>(c);
}

}  // namespace skein::arch
