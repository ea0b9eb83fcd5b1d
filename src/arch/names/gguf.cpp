// GGUF names of RWKV-7 as llama.cpp's converter writes them (general.architecture = rwkv7).
#include "arch/names/fused.h"
#include "arch/names/names.h"

namespace skein::arch::names {
namespace {

constexpr std::string_view kLayers = "blk.";

constexpr Rename kTop[] = {
    {"token_embd.weight", "emb.weight"},
    {"output.weight", "head.weight"},
    {"token_embd_norm.weight", "blocks.0.ln0.weight"},
    {"token_embd_norm.bias", "blocks.0.ln0.bias"},
    {"output_norm.weight", "ln_out.weight"},
    {"output_norm.bias", "ln_out.bias"},
};

constexpr Rename kLayer[] = {
    {"attn_norm.weight", "ln1.weight"},
    {"attn_norm.bias", "ln1.bias"},
    {"attn_norm_2.weight", "ln2.weight"},
    {"attn_norm_2.bias", "ln2.bias"},
    {"time_mix_receptance.weight", "att.receptance.weight"},
    {"time_mix_key.weight", "att.key.weight"},
    {"time_mix_value.weight", "att.value.weight"},
    {"time_mix_output.weight", "att.output.weight"},
    {"time_mix_ln.weight", "att.ln_x.weight"},
    {"time_mix_ln.bias", "att.ln_x.bias"},
    {"time_mix_w0.weight", "att.w0"},
    {"time_mix_w1.weight", "att.w1", true},
    {"time_mix_w2.weight", "att.w2", true},
    {"time_mix_a0.weight", "att.a0"},
    {"time_mix_a1.weight", "att.a1", true},
    {"time_mix_a2.weight", "att.a2", true},
    {"time_mix_v0.weight", "att.v0"},
    {"time_mix_v1.weight", "att.v1", true},
    {"time_mix_v2.weight", "att.v2", true},
    {"time_mix_g1.weight", "att.g1", true},
    {"time_mix_g2.weight", "att.g2", true},
    {"time_mix_k_k.weight", "att.k_k"},
    {"time_mix_k_a.weight", "att.k_a"},
    {"time_mix_r_k.weight", "att.r_k"},
    {"channel_mix_lerp_k.weight", "ffn.x_k"},
    {"channel_mix_key.weight", "ffn.key.weight"},
    {"channel_mix_value.weight", "ffn.value.weight"},
};

bool is_gguf7(const Container& container) {
  return container.format == Format::gguf && text_of(container, "general.architecture") == "rwkv7";
}

Result<int64_t> head_size(const Container& container, std::string_view file_name) {
  const auto found = container.metadata.find("rwkv7.wkv.head_size");
  const uint64_t* size =
      found == container.metadata.end() ? nullptr : std::get_if<uint64_t>(&found->second);
  if (!size || *size == 0 || *size > 65536)
    return fail(Code::corrupt, "{}: the key rwkv7.wkv.head_size is missing or not a head size",
                file_name);
  return static_cast<int64_t>(*size);
}

Result<NamedTensors> translate(const Container& container, std::string_view file_name) {
  SK_TRY(const int64_t size, head_size(container, file_name));
  NamedTensors out;
  for (const StoredTensor& tensor : container.tensors) {
    int64_t layer = 0;
    std::string_view rest;
    const bool in_layer = split_layer(tensor.name, kLayers, layer, rest);
    if (in_layer && rest == "time_mix_lerp_fused.weight") {
      SK_TRY_STATUS(unstack_mixes(tensor, layer, file_name, out));
      continue;
    }
    // Layer 0's are copies of a0, a1, a2 that nothing reads.
    if (in_layer && layer == 0 && rest.starts_with("time_mix_v") && rest.size() > 10 &&
        rest[10] >= '0' && rest[10] <= '2')
      continue;
    SK_TRY(auto official, rename(tensor, in_layer ? kLayer : std::span<const Rename>(kTop),
                                 in_layer ? rest : tensor.name, layer, file_name));
    StoredTensor& value = official.second;
    // r_k is written flat, [D]; officially it is [H, N].
    if (official.first.ends_with("att.r_k") && value.shape.rank() == 1 &&
        value.shape[0] % size == 0)
      value = value.reshaped({value.shape[0] / size, size});
    out.insert(std::move(official));
  }
  return out;
}

}  // namespace

const Naming kGguf7 = {"GGUF", is_gguf7, translate};

}  // namespace skein::arch::names
