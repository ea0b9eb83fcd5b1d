// RWKV-7 "Goose" (arXiv 2503.14456), in the letters of the paper.
//
// State of a layer: the last input of each mix (x_prev) and, per head, a matrix S that a token
// decays, corrects where it already holds an answer for this key, and writes its value into:
//   S = S (diag(w) - kk (a kk)^T) + v k^T,   y = S r
#include "arch/rwkv7.h"

#include <algorithm>
#include <optional>

#include "arch/shapes.h"
#include "base/limits.h"
#include "ops/recorder.h"

namespace skein::arch {
namespace {

using ops::Unary;
using ops::Var;
using ops::Weight;

struct Config : Dimensions {
  int64_t rank_w = 0, rank_a = 0, rank_v = 0, rank_g = 0;
  float norm_epsilon = 1e-5f;
  // Training divides by 8 and normalises with 1e-5; undivided, that is 1e-5 * 8^2.
  float group_epsilon = 64e-5f;
};

// Places in the weight list, in its order; those of a layer follow each other.
enum Top { kEmb, kLn0Weight, kLn0Bias, kLnOutWeight, kLnOutBias, kHead, kTopWeights };
enum InLayer {
  kLn1Weight,
  kLn1Bias,
  kLn2Weight,
  kLn2Bias,
  kXr,
  kXw,
  kXk,
  kXv,
  kXa,
  kXg,
  kW0,
  kW1,
  kW2,
  kA0,
  kA1,
  kA2,
  kV0,
  kV1,
  kV2,
  kG1,
  kG2,
  kKk,
  kKa,
  kRk,
  kReceptance,
  kKey,
  kValue,
  kOutput,
  kLnXWeight,
  kLnXBias,
  kFfnXk,
  kFfnKey,
  kFfnValue,
  kLayerWeights
};

class Rwkv7 final : public Architecture {
 public:
  explicit Rwkv7(const Config& config) : config_(config) {}

  const Dimensions& dimensions() const override { return config_; }

  std::vector<WeightSpec> weights() const override {
    const auto& c = config_;
    using enum WeightClass;
    std::vector<WeightSpec> list = {
        {"emb.weight", {c.vocab, c.width}, embedding},
        {"blocks.0.ln0.weight", {c.width}, vector, false, Presence::optional},
        {"blocks.0.ln0.bias", {c.width}, vector, false, Presence::optional},
        {"ln_out.weight", {c.width}, vector},
        {"ln_out.bias", {c.width}, vector},
        {"head.weight", {c.vocab, c.width}, head},
    };
    for (int64_t i = 0; i < c.layers; ++i) add_layer(list, i);
    return list;
  }

  std::vector<StateSpec> state() const override {
    std::vector<StateSpec> list;
    for (int64_t i = 0; i < config_.layers; ++i) {
      const std::string block = fmt::format("blocks.{}.", i);
      list.push_back({block + "att.x_prev", {config_.width}});
      // Officially [H, N value, N key]; the kernels' lanes are value channels.
      list.push_back(
          {block + "att.wkv", {config_.heads, config_.head_size, config_.head_size}, true});
      list.push_back({block + "ffn.x_prev", {config_.width}});
    }
    return list;
  }

  ops::Program forward(const std::vector<bool>& has) const override {
    ops::Recorder b;
    const auto top = [&](Top which, int64_t width) {
      return Weight{which, static_cast<int32_t>(width)};
    };
    const int64_t D = config_.width;
    Var x = b.rows("emb", top(kEmb, config_.vocab), static_cast<int32_t>(D));
    // A Hugging Face model may have been made without the norm before the first block.
    if (has[kLn0Weight])
      x = b.layer_norm("ln0", x, top(kLn0Weight, D), top(kLn0Bias, D), config_.norm_epsilon);
    Var v_first;
    for (int64_t i = 0; i < config_.layers; ++i) {
      b.prefix(fmt::format("blocks.{}.", i));
      const Layer layer(config_, i);
      x = b.add("att.sum", x, time_mix(b, layer, x, v_first));
      x = b.add("ffn.sum", x, channel_mix(b, layer, x));
    }
    b.prefix("");
    x = b.pick("outputs", x);
    x = b.layer_norm("ln_out", x, top(kLnOutWeight, D), top(kLnOutBias, D), config_.norm_epsilon);
    return b.finish(b.linear("logits", x, top(kHead, config_.vocab)));
  }

 private:
  // The weights of one layer by the names above.
  struct Layer {
    Layer(const Config& c, int64_t i) : config(c), index(i) {}
    Weight operator[](InLayer which) const {
      int64_t width = config.width;
      switch (which) {
        case kW1: width = config.rank_w; break;
        case kA1: width = config.rank_a; break;
        case kV1: width = config.rank_v; break;
        case kG1: width = config.rank_g; break;
        case kFfnKey: width = config.inner; break;
        default: break;
      }
      return {static_cast<ops::WeightId>(kTopWeights + index * kLayerWeights + which),
              static_cast<int32_t>(width)};
    }
    const Config& config;
    int64_t index;
  };

  void add_layer(std::vector<WeightSpec>& list, int64_t i) const {
    const auto& c = config_;
    using enum WeightClass;
    const std::string block = fmt::format("blocks.{}.", i);
    const auto row = [&](const char* name, Shape shape, WeightClass kind = vector,
                         bool in_out = false, Presence presence = Presence::required) {
      list.push_back({block + name, shape, kind, in_out, presence});
    };
    const Shape d = {c.width};
    row("ln1.weight", d), row("ln1.bias", d), row("ln2.weight", d), row("ln2.bias", d);
    for (const char* x : {"att.x_r", "att.x_w", "att.x_k", "att.x_v", "att.x_a", "att.x_g"})
      row(x, d);
    const auto pair = [&](const char* first, const char* second, int64_t rank,
                          Presence presence = Presence::required) {
      row(first, {c.width, rank}, low_rank, true, presence);
      row(second, {rank, c.width}, low_rank, true, presence);
    };
    row("att.w0", d), pair("att.w1", "att.w2", c.rank_w);
    row("att.a0", d), pair("att.a1", "att.a2", c.rank_a);
    // Layer 0 makes v_first and mixes nothing into v; files may have stand-ins there.
    const auto mix_v = i == 0 ? Presence::unused : Presence::required;
    row("att.v0", d, vector, false, mix_v), pair("att.v1", "att.v2", c.rank_v, mix_v);
    pair("att.g1", "att.g2", c.rank_g);
    row("att.k_k", d), row("att.k_a", d), row("att.r_k", {c.heads, c.head_size});
    for (const char* name :
         {"att.receptance.weight", "att.key.weight", "att.value.weight", "att.output.weight"})
      row(name, {c.width, c.width}, attention);
    row("att.ln_x.weight", d), row("att.ln_x.bias", d);
    row("ffn.x_k", d);
    row("ffn.key.weight", {c.inner, c.width}, feed_forward);
    row("ffn.value.weight", {c.width, c.inner}, feed_forward);
  }

  Var time_mix(ops::Recorder& b, const Layer& p, Var residual, Var& v_first) const {
    const auto H = static_cast<int32_t>(config_.heads);
    const int64_t N = config_.head_size;
    Var x = b.layer_norm("ln1", residual, p[kLn1Weight], p[kLn1Bias], config_.norm_epsilon);
    Var x_prev = b.shift("att.x_prev", x, b.slot("att.x_prev", config_.width));
    const auto state = b.slot("att.wkv", H * N * N);
    Var xr = b.lerp("att.xr", x, x_prev, p[kXr]);
    Var xw = b.lerp("att.xw", x, x_prev, p[kXw]);
    Var xk = b.lerp("att.xk", x, x_prev, p[kXk]);
    Var xv = b.lerp("att.xv", x, x_prev, p[kXv]);
    Var xa = b.lerp("att.xa", x, x_prev, p[kXa]);
    Var xg = b.lerp("att.xg", x, x_prev, p[kXg]);

    // Products that wait for nothing but the mixes, then those that wait for these.
    Var r = b.linear("att.r", xr, p[kReceptance]);
    Var k = b.linear("att.k", xk, p[kKey]);
    Var v = b.linear("att.v", xv, p[kValue]);
    Var w_low = b.linear("att.w_low", xw, p[kW1], Unary::tanh);
    Var a_low = b.linear("att.a_low", xa, p[kA1]);
    Var g_low = b.linear("att.g_low", xg, p[kG1], Unary::sigmoid);
    Var v_low = p.index > 0 ? b.linear("att.v_low", xv, p[kV1]) : Var();
    Var w = b.linear("att.w", w_low, p[kW2], Unary::decay7, p[kW0]);
    Var a = b.linear("att.a", a_low, p[kA2], Unary::sigmoid, p[kA0]);
    Var g = b.linear("att.g", g_low, p[kG2]);
    if (p.index == 0) {
      v_first = v;
    } else {
      Var gate = b.linear("att.v_gate", v_low, p[kV2], Unary::sigmoid, p[kV0]);
      v = b.lerp("att.v_mixed", v, v_first, gate);
    }

    Var kk = b.l2norm_heads("att.kk", b.mul("att.k_scaled", k, p[kKk]), H);
    k = b.lerp("att.k_mixed", k, k * a, p[kKa]);  // k (1 + (a - 1) k_a)
    Var y = b.wkv7("att.wkv", r, w, k, v, kk, a, state, H);
    y = b.group_norm("att.ln_x", y, p[kLnXWeight], p[kLnXBias], H, config_.group_epsilon);
    y = (y + b.bonus("att.bonus", r, k, v, p[kRk], H)) * g;
    return b.linear("att.out", y, p[kOutput]);
  }

  Var channel_mix(ops::Recorder& b, const Layer& p, Var residual) const {
    Var x = b.layer_norm("ln2", residual, p[kLn2Weight], p[kLn2Bias], config_.norm_epsilon);
    Var x_prev = b.shift("ffn.x_prev", x, b.slot("ffn.x_prev", config_.width));
    Var xk = b.lerp("ffn.xk", x, x_prev, p[kFfnXk]);
    Var k = b.linear("ffn.k", xk, p[kFfnKey], Unary::relu2);
    return b.linear("ffn.out", k, p[kFfnValue]);
  }

  Config config_;
};

}  // namespace

Result<std::unique_ptr<Architecture>> open_rwkv7(const NamedTensors& tensors,
                                                 std::string_view file_name) {
  const Shapes shapes(tensors, file_name);
  Config c;
  SK_TRY(const Shape emb, shapes.of("emb.weight", 2));
  SK_TRY(const Shape r_k, shapes.of("blocks.0.att.r_k", 2));
  SK_TRY(const Shape key, shapes.of("blocks.0.ffn.key.weight", 2));
  SK_TRY(c.layers, shapes.layers());
  c.vocab = emb[0];
  c.width = emb[1];
  c.inner = key[0];
  SK_TRY_STATUS(shapes.check_limits(c));
  c.heads = r_k[0];
  c.head_size = r_k[1];
  if (c.heads * c.head_size != c.width)
    return fail(Code::mismatch, "{}: blocks.0.att.r_k is {}, but the embedding is {} wide",
                file_name, r_k.text(), c.width);
  const auto rank = [&](const char* name, int64_t layer) {
    return shapes.of(fmt::format("blocks.{}.att.{}", layer, name), 2);
  };
  SK_TRY(const Shape w1, rank("w1", 0));
  SK_TRY(const Shape a1, rank("a1", 0));
  SK_TRY(const Shape g1, rank("g1", 0));
  c.rank_w = w1[1];
  c.rank_a = a1[1];
  c.rank_g = g1[1];
  // Layer 0 lies about the rank of v; a model of one layer has none.
  if (c.layers > 1) {
    SK_TRY(const Shape v1, rank("v1", 1));
    c.rank_v = v1[1];
  }
  for (const int64_t r : {c.rank_w, c.rank_a, c.rank_g, c.layers > 1 ? c.rank_v : int64_t{1}})
    if (r < 1 || r > static_cast<int64_t>(limits::kWidth))
      return fail(Code::mismatch, "{}: a low-rank size of {}; it has to be 1 to {}", file_name, r,
                  limits::kWidth);
  SK_TRY_STATUS(shapes.both_or_neither("blocks.0.ln0.weight", "blocks.0.ln0.bias"));
  return std::make_unique<Rwkv7>(c);
}

}  // namespace skein::arch
