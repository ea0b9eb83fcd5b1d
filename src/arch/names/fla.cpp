// Hugging Face `fla` names of RWKV-7 (flash-linear-attention's RWKV7ForCausalLM).
#include "arch/names/fused.h"
#include "arch/names/names.h"

namespace skein::arch::names {
namespace {

constexpr std::string_view kLayers = "model.layers.";

constexpr Rename kTop[] = {
    {"model.embeddings.weight", "emb.weight"},
    {"lm_head.weight", "head.weight"},
    {"model.norm.weight", "ln_out.weight"},
    {"model.norm.bias", "ln_out.bias"},
};

// Inside a layer. nn.Linear keeps the low-rank pairs as [out, in], the other way round than
// officially.
constexpr Rename kLayer[] = {
    {"pre_norm.weight", "ln0.weight"},
    {"pre_norm.bias", "ln0.bias"},
    {"attn_norm.weight", "ln1.weight"},
    {"attn_norm.bias", "ln1.bias"},
    {"ffn_norm.weight", "ln2.weight"},
    {"ffn_norm.bias", "ln2.bias"},
    {"attn.r_proj.weight", "att.receptance.weight"},
    {"attn.k_proj.weight", "att.key.weight"},
    {"attn.v_proj.weight", "att.value.weight"},
    {"attn.o_proj.weight", "att.output.weight"},
    {"attn.g_norm.weight", "att.ln_x.weight"},
    {"attn.g_norm.bias", "att.ln_x.bias"},
    {"attn.x_r", "att.x_r"},
    {"attn.x_w", "att.x_w"},
    {"attn.x_k", "att.x_k"},
    {"attn.x_v", "att.x_v"},
    {"attn.x_a", "att.x_a"},
    {"attn.x_g", "att.x_g"},
    {"attn.k_k", "att.k_k"},
    {"attn.k_a", "att.k_a"},
    {"attn.r_k", "att.r_k"},
    {"attn.w_lora.lora.0.weight", "att.w1", true},
    {"attn.w_lora.lora.2.weight", "att.w2", true},
    {"attn.w_lora.lora.2.bias", "att.w0"},
    {"attn.a_lora.lora.0.weight", "att.a1", true},
    {"attn.a_lora.lora.2.weight", "att.a2", true},
    {"attn.a_lora.lora.2.bias", "att.a0"},
    {"attn.v_lora.lora.0.weight", "att.v1", true},
    {"attn.v_lora.lora.2.weight", "att.v2", true},
    {"attn.v_lora.lora.2.bias", "att.v0"},
    {"attn.g_lora.lora.0.weight", "att.g1", true},
    {"attn.g_lora.lora.2.weight", "att.g2", true},
    {"ffn.x_k", "ffn.x_k"},
    {"ffn.key.weight", "ffn.key.weight"},
    {"ffn.value.weight", "ffn.value.weight"},
};

bool is_fla(const Container& container) {
  return has(container, "model.layers.0.attn.r_proj.weight") &&
         has(container, "model.layers.0.attn.k_k");
}

Result<NamedTensors> translate(const Container& container, std::string_view file_name) {
  NamedTensors out;
  for (const StoredTensor& tensor : container.tensors) {
    int64_t layer = 0;
    std::string_view rest;
    const bool in_layer = split_layer(tensor.name, kLayers, layer, rest);
    if (in_layer && rest == "attn.x_x") {  // older files
      SK_TRY_STATUS(unstack_mixes(tensor, layer, file_name, out));
      continue;
    }
    SK_TRY(auto official, rename(tensor, in_layer ? kLayer : std::span<const Rename>(kTop),
                                 in_layer ? rest : tensor.name, layer, file_name));
    out.insert(std::move(official));
  }
  // tie_word_embeddings: the head is the embedding, before ln0.
  if (const auto emb = out.find("emb.weight"); emb != out.end() && !out.contains("head.weight"))
    out.emplace("head.weight", emb->second);
  return out;
}

}  // namespace

const Naming kFla7 = {"Hugging Face fla", is_fla, translate};

}  // namespace skein::arch::names
