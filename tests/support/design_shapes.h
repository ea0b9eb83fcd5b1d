// Sizes of models that nobody released, and the tensors that tell what a model is.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "arch/registry.h"

namespace skein::test {

struct ModelSizes {
  int64_t layers = 2, width = 64, heads = 1, inner = 96, vocab = 40;
  int64_t rank_w = 16, rank_a = 24, rank_v = 8, rank_g = 40;
  std::string design = "rwkv7";
  bool gate = true, group_norm = true;  // of ARWKV
  bool biases = true;                   // of QRWKV6
  int64_t groups = 0;                   // of QRWKV6: heads of keys and values, 0: all
};

inline std::vector<std::string> runnable_designs() {
  std::vector<std::string> out;
  for (const arch::Design& design : arch::designs())
    if (design.open) out.push_back(design.id);
  return out;
}

inline arch::Hints hints_of(const ModelSizes& m) {
  return {.head_size = m.width / m.heads, .key_value_heads = m.groups};
}

// The tensors whose presence and shapes say everything about a model of this design.
inline std::map<std::string, Shape> telling_shapes(const ModelSizes& m) {
  const int64_t D = m.width, H = m.heads, N = D / H;
  const bool qwen = m.design == "rwkv6qwen2" || m.design == "arwkv7";
  std::map<std::string, Shape> out = {{"emb.weight", {m.vocab, D}}};
  for (int64_t i = 0; i < m.layers; ++i) out[fmt::format("blocks.{}.ln1.weight", i)] = {D};
  const auto first = [&](const char* name, const Shape& shape) {
    out[fmt::format("blocks.0.{}", name)] = shape;
  };
  first(qwen ? "ffn.gate.weight" : "ffn.key.weight", {m.inner, D});
  if (!qwen) first("ln0.weight", {D}), first("ln0.bias", {D});
  if (m.design == "rwkv5.0") first("att.time_decay", {H}), first("att.time_first", {H});
  if (m.design == "rwkv5.1") first("att.time_decay", {H}), first("att.time_faaaa", {H});
  if (m.design == "rwkv5.2") first("att.time_decay", {H, N}), first("att.time_faaaa", {H, N});
  if (m.design == "rwkv5.1" || m.design == "rwkv5.2")
    first("att.gate.weight", {D, D}), first("att.time_mix_g", {D});
  if (m.design == "rwkv6" || m.design == "rwkv6qwen2") {
    first("att.time_maa_w1", {D, 5 * m.rank_w});
    first("att.time_decay_w1", {D, m.rank_a});
    if (!qwen) first("att.time_faaaa", {H, N});
    if (qwen && m.biases)
      for (const char* bias : {"att.receptance.bias", "att.key.bias", "att.value.bias"})
        first(bias, {D});
  }
  if (m.design == "rwkv7" || m.design == "rwkv7a" || m.design == "arwkv7") {
    first("att.r_k", {H, N});
    first("att.w1", {D, m.rank_w}), first("att.a1", {D, m.rank_a});
    if (m.gate) first("att.g1", {D, m.rank_g}), first("att.g2", {m.rank_g, D});
    if (m.group_norm) first("att.ln_x.weight", {D}), first("att.ln_x.bias", {D});
    if (m.layers > 1) out["blocks.1.att.v1"] = {D, m.rank_v};
  }
  if (m.design == "rwkv7a") first("ffn.s1", {D, 12}), first("ffn.s_emb.weight", {m.vocab, 12 * 20});
  return out;
}

inline arch::NamedModel without_numbers(const std::map<std::string, Shape>& shapes,
                                        const arch::Hints& hints) {
  arch::NamedModel out = {.tensors = {}, .hints = hints};
  for (const auto& [name, shape] : shapes) {
    StoredTensor tensor;
    tensor.name = name;
    tensor.shape = shape;
    tensor.strides = shape.contiguous_strides();
    out.tensors.emplace(name, tensor);
  }
  return out;
}

}  // namespace skein::test
