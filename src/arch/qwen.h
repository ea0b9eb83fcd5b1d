// What models grown from Qwen2 keep of it: a feed-forward without a memory, and RMS norms.
#pragma once

#include "arch/skeleton.h"

namespace skein::arch {

// y = Wdown (silu(Wgate x) * (Wup x))
template <typename Layer>
Var swiglu(const Layer& p, Var x) {
  Var gate = p.b.linear("ffn.gate", x, p("ffn.gate.weight"), Unary::silu);
  Var up = p.b.linear("ffn.up", x, p("ffn.up.weight"));
  return p.b.linear("ffn.out", gate * up, p("ffn.down.weight"));
}

inline void add_swiglu(LayerWeights& w, const Dimensions& d) {
  w.matrix("ffn.gate.weight", d.inner, d.width, WeightClass::feed_forward);
  w.matrix("ffn.up.weight", d.inner, d.width, WeightClass::feed_forward);
  w.matrix("ffn.down.weight", d.width, d.inner, WeightClass::feed_forward);
}

inline Status read_qwen_frame(const NamedModel& model, std::string_view file_name,
                              Skeleton::Frame& frame) {
  frame.norm = NormKind::rms;
  frame.norm_epsilon = 1e-6f;
  return read_frame(model, file_name, "blocks.0.ffn.gate.weight", frame);
}

}  // namespace skein::arch
