#include "arch/goose.h"

namespace skein::arch {

Status Goose::read_time_mix(const NamedModel& model, std::string_view file_name, Parts parts,
                            Config& c) {
  const Shapes shapes(model.tensors, file_name);
  SK_TRY(const Shape r_k, shapes.of("blocks.0.att.r_k", 2));
  c.heads = r_k[0];
  c.head_size = r_k[1];
  if (c.heads < 1 || c.head_size < 1 || c.heads * c.head_size != c.width)
    return fail(Code::mismatch, "{}: blocks.0.att.r_k is {}, but the embedding is {} wide",
                file_name, r_k.text(), c.width);
  if (parts == Parts::without_gate_or_norm) {
    c.gate = model.tensors.contains("blocks.0.att.g1");
    c.group_norm = model.tensors.contains("blocks.0.att.ln_x.weight");
    SK_TRY_STATUS(shapes.both_or_neither("blocks.0.att.g1", "blocks.0.att.g2"));
    SK_TRY_STATUS(shapes.both_or_neither("blocks.0.att.ln_x.weight", "blocks.0.att.ln_x.bias"));
  }
  if (model.hints.group_epsilon > 0) c.group_epsilon = model.hints.group_epsilon;
  SK_TRY(c.rank_w, shapes.rank_of("blocks.0.att.w1"));
  SK_TRY(c.rank_a, shapes.rank_of("blocks.0.att.a1"));
  if (c.gate) {
    SK_TRY(c.rank_g, shapes.rank_of("blocks.0.att.g1"));
  }
  // Layer 0 lies about the rank of v; a model of one layer has none.
  if (c.layers > 1) {
    SK_TRY(c.rank_v, shapes.rank_of("blocks.1.att.v1"));
  }
  return {};
}

void Goose::layer_weights(LayerWeights& w) const {
  const Config& c = config_;
  const int64_t D = c.width;
  for (const char* x : {"att.x_r", "att.x_w", "att.x_k", "att.x_v", "att.x_a"}) w.vector(x, {D});
  if (c.gate) w.vector("att.x_g", {D});
  w.vector("att.w0", {D});
  w.low_rank("att.w1", {D, c.rank_w}), w.low_rank("att.w2", {c.rank_w, D});
  w.vector("att.a0", {D});
  w.low_rank("att.a1", {D, c.rank_a}), w.low_rank("att.a2", {c.rank_a, D});
  // Layer 0 makes v_first and mixes nothing into v; files may have stand-ins there.
  const bool unused = w.index() == 0;
  w.vector("att.v0", {D}).unused = unused;
  w.low_rank("att.v1", {D, c.rank_v}).unused = unused;
  w.low_rank("att.v2", {c.rank_v, D}).unused = unused;
  if (c.gate) w.low_rank("att.g1", {D, c.rank_g}), w.low_rank("att.g2", {c.rank_g, D});
  w.vector("att.k_k", {D}), w.vector("att.k_a", {D}), w.vector("att.r_k", {c.heads, c.head_size});
  for (const char* name :
       {"att.receptance.weight", "att.key.weight", "att.value.weight", "att.output.weight"})
    w.matrix(name, D, D, WeightClass::attention);
  if (c.group_norm) w.vector("att.ln_x.weight", {D}), w.vector("att.ln_x.bias", {D});
  channel_weights(w);
}

std::vector<StateSpec> Goose::layer_state() const {
  return matrix_state(config_, /*value_first=*/true, config_.channel_memory);
}

Var Goose::time_mix(const Layer& p, Var x) const {
  ops::Recorder& b = p.b;
  const auto H = static_cast<int32_t>(config_.heads);
  Var x_prev = p.previous("att.x_prev", x);
  Var xr = b.lerp("att.xr", x, x_prev, p("att.x_r"));
  Var xw = b.lerp("att.xw", x, x_prev, p("att.x_w"));
  Var xk = b.lerp("att.xk", x, x_prev, p("att.x_k"));
  Var xv = b.lerp("att.xv", x, x_prev, p("att.x_v"));
  Var xa = b.lerp("att.xa", x, x_prev, p("att.x_a"));
  Var xg = config_.gate ? b.lerp("att.xg", x, x_prev, p("att.x_g")) : Var();

  // Products that wait for nothing but the mixes, then those that wait for these.
  Var r = b.linear("att.r", xr, p("att.receptance.weight"));
  Var k = b.linear("att.k", xk, p("att.key.weight"));
  Var v = b.linear("att.v", xv, p("att.value.weight"));
  Var w_low = b.linear("att.w_low", xw, p("att.w1"), Unary::tanh);
  Var a_low = b.linear("att.a_low", xa, p("att.a1"));
  Var g_low = xg ? b.linear("att.g_low", xg, p("att.g1"), Unary::sigmoid) : Var();
  Var v_low = p.index() > 0 ? b.linear("att.v_low", xv, p("att.v1")) : Var();
  Var w = b.linear("att.w", w_low, p("att.w2"), Unary::decay7, p("att.w0"));
  Var a = b.linear("att.a", a_low, p("att.a2"), Unary::sigmoid, p("att.a0"));
  Var g = g_low ? b.linear("att.g", g_low, p("att.g2")) : Var();
  if (p.index() == 0) {
    p.shared.v_first = v;
  } else {
    Var gate = b.linear("att.v_gate", v_low, p("att.v2"), Unary::sigmoid, p("att.v0"));
    v = b.lerp("att.v_mixed", v, p.shared.v_first, gate);
  }

  Var kk = b.l2norm_heads("att.kk", b.mul("att.k_scaled", k, p("att.k_k")), H);
  k = b.lerp("att.k_mixed", k, k * a, p("att.k_a"));  // k (1 + (a - 1) k_a)
  Var y = b.wkv7("att.wkv", r, w, k, v, kk, a, p.slot("att.wkv"), H);
  if (config_.group_norm)
    y = b.group_norm("att.ln_x", y, p("att.ln_x.weight"), p("att.ln_x.bias"), H,
                     config_.group_epsilon);
  y = y + b.bonus("att.bonus", r, k, v, p("att.r_k"), H);
  if (g) y = y * g;
  return b.linear("att.out", y, p("att.output.weight"));
}

}  // namespace skein::arch
