// GGUF names as llama.cpp's converter writes them, for general.architecture = rwkv6, rwkv7,
// rwkv6qwen2 and arwkv7.
#include <algorithm>
#include <cmath>

#include "arch/names/computed.h"
#include "arch/names/table.h"

namespace skein::arch::names {
namespace {

constexpr std::string_view kArchitectures[] = {"rwkv6", "rwkv7", "rwkv6qwen2", "arwkv7"};

constexpr Row kTop[] = {
    {"token_embd.weight", "emb.weight"},
    {"output.weight", "head.weight"},
    {"token_embd_norm.weight", "blocks.0.ln0.weight"},
    {"token_embd_norm.bias", "blocks.0.ln0.bias"},
    {"output_norm.weight", "ln_out.weight"},
    {"output_norm.bias", "ln_out.bias"},
};

constexpr Row kTimeMix[] = {
    {"attn_norm.weight", "ln1.weight"},
    {"attn_norm.bias", "ln1.bias"},
    {"time_mix_receptance.weight", "att.receptance.weight"},
    {"time_mix_key.weight", "att.key.weight"},
    {"time_mix_value.weight", "att.value.weight"},
    {"time_mix_gate.weight", "att.gate.weight"},
    {"time_mix_output.weight", "att.output.weight"},
    {"time_mix_receptance.bias", "att.receptance.bias"},
    {"time_mix_key.bias", "att.key.bias"},
    {"time_mix_value.bias", "att.value.bias"},
    {"time_mix_ln.weight", "att.ln_x.weight"},
    {"time_mix_ln.bias", "att.ln_x.bias"},
};

constexpr Row kChannelMix[] = {
    {"attn_norm_2.weight", "ln2.weight"},
    {"attn_norm_2.bias", "ln2.bias"},
    {"channel_mix_key.weight", "ffn.key.weight"},
    {"channel_mix_value.weight", "ffn.value.weight"},
    {"channel_mix_receptance.weight", "ffn.receptance.weight"},
};
constexpr Row kChannelMix6[] = {
    {"channel_mix_lerp_k.weight", "ffn.time_maa_k"},
    {"channel_mix_lerp_r.weight", "ffn.time_maa_r"},
};
constexpr Row kChannelMix7[] = {{"channel_mix_lerp_k.weight", "ffn.x_k"}};

constexpr Row kQwen[] = {
    {"ffn_norm.weight", "ln2.weight"},
    {"ffn_gate.weight", "ffn.gate.weight"},
    {"ffn_up.weight", "ffn.up.weight"},
    {"ffn_down.weight", "ffn.down.weight"},
};

// The low-rank pairs are y = W x here, turned over against the official files.
constexpr Row kTimeMix6[] = {
    {"time_mix_lerp_x.weight", "att.time_maa_x"},
    {"time_mix_lerp_fused.weight",
     "att.time_maa_w att.time_maa_k att.time_maa_v att.time_maa_r att.time_maa_g"},
    {"time_mix_lerp_w.weight", "att.time_maa_w"},  // older files
    {"time_mix_lerp_k.weight", "att.time_maa_k"},
    {"time_mix_lerp_v.weight", "att.time_maa_v"},
    {"time_mix_lerp_r.weight", "att.time_maa_r"},
    {"time_mix_lerp_g.weight", "att.time_maa_g"},
    {"time_mix_w1.weight", "att.time_maa_w1", Form::transposed},
    {"time_mix_w2.weight", "att.time_maa_w2", Form::transposed},
    {"time_mix_first.weight", "att.time_faaaa"},
    {"time_mix_decay.weight", "att.time_decay"},
    {"time_mix_decay_w1.weight", "att.time_decay_w1", Form::transposed},
    {"time_mix_decay_w2.weight", "att.time_decay_w2", Form::transposed},
};
constexpr Row kTimeMix7[] = {
    {"time_mix_lerp_fused.weight", "att.x_r att.x_w att.x_k att.x_v att.x_a att.x_g"},
    {"time_mix_w0.weight", "att.w0"},
    {"time_mix_w1.weight", "att.w1", Form::transposed},
    {"time_mix_w2.weight", "att.w2", Form::transposed},
    {"time_mix_a0.weight", "att.a0"},
    {"time_mix_a1.weight", "att.a1", Form::transposed},
    {"time_mix_a2.weight", "att.a2", Form::transposed},
    {"time_mix_v0.weight", "att.v0"},
    {"time_mix_v1.weight", "att.v1", Form::transposed},
    {"time_mix_v2.weight", "att.v2", Form::transposed},
    {"time_mix_g1.weight", "att.g1", Form::transposed},
    {"time_mix_g2.weight", "att.g2", Form::transposed},
    {"time_mix_k_k.weight", "att.k_k"},
    {"time_mix_k_a.weight", "att.k_a"},
    {"time_mix_r_k.weight", "att.r_k"},
};

Table table_of(std::string_view design) {
  Table table = {.layer_prefix = "blk.", .top = {kTop}, .in_layer = {kTimeMix}};
  const bool qwen = design == "rwkv6qwen2" || design == "arwkv7";
  const bool seven = design == "rwkv7" || design == "arwkv7";
  table.in_layer.push_back(seven ? std::span<const Row>(kTimeMix7) : kTimeMix6);
  if (qwen) {
    table.in_layer.push_back(kQwen);
  } else {
    table.in_layer.push_back(kChannelMix);
    table.in_layer.push_back(seven ? std::span<const Row>(kChannelMix7) : kChannelMix6);
  }
  return table;
}

bool is_gguf(const Container& container) {
  return container.format == Format::gguf &&
         std::find(std::begin(kArchitectures), std::end(kArchitectures),
                   text_of(container, "general.architecture")) != std::end(kArchitectures);
}

Result<Hints> read_hints(const Container& container, std::string_view design,
                         std::string_view file_name) {
  const auto key = [&](const char* name) { return fmt::format("{}.{}", design, name); };
  Hints hints;
  SK_TRY(hints.norm_epsilon, epsilon_of(container, key("attention.layer_norm_epsilon"), file_name));
  SK_TRY(const float rms,
         epsilon_of(container, key("attention.layer_norm_rms_epsilon"), file_name));
  if (rms > 0) hints.norm_epsilon = rms;
  SK_TRY(hints.head_size, count_of(container, key("wkv.head_size"), file_name));
  if (hints.head_size == 0)
    return fail(Code::corrupt, "{}: the key {} is missing", file_name, key("wkv.head_size"));
  SK_TRY(hints.key_value_heads, count_of(container, key("attention.head_count_kv"), file_name));
  return hints;
}

Result<NamedModel> translate(const Container& container, std::string_view file_name) {
  const std::string_view design = text_of(container, "general.architecture");
  NamedModel model;
  SK_TRY(model.hints, read_hints(container, design, file_name));
  const auto special = [](const StoredTensor&, int64_t layer, std::string_view local,
                          NamedTensors&) -> Result<bool> {
    // Layer 0's are copies of a0, a1, a2 that nothing reads.
    return layer == 0 && (local == "time_mix_v0.weight" || local == "time_mix_v1.weight" ||
                          local == "time_mix_v2.weight");
  };
  SK_TRY(model.tensors, read_names(container, table_of(design), file_name, special));
  // Written flat, [D]; officially they are [H, N].
  for (auto& [name, tensor] : model.tensors)
    if ((name.ends_with("att.r_k") || name.ends_with("att.time_faaaa")) &&
        tensor.shape.rank() == 1 && tensor.shape[0] % model.hints.head_size == 0)
      tensor = tensor.reshaped({tensor.shape[0] / model.hints.head_size, model.hints.head_size});
  // Divided for half-precision activations, which we do not have.
  SK_TRY(const double every, number_of(container, "rwkv6.rescale_every_n_layers", file_name));
  if (every < 0 || every != std::floor(every))
    return fail(Code::corrupt, "{}: the key rwkv6.rescale_every_n_layers is {}", file_name, every);
  if (design == "rwkv6" && every >= 1) {
    for (auto& [name, tensor] : model.tensors) {
      int64_t layer = 0;
      std::string_view local;
      if (!split_layer(name, "blocks.", layer, local)) continue;
      if (local != "att.output.weight" && local != "ffn.value.weight") continue;
      const double halvings = std::floor(static_cast<double>(layer) / every);
      if (halvings > 64)
        return fail(Code::corrupt, "{}: the key rwkv6.rescale_every_n_layers is {}", file_name,
                    every);
      tensor = scaled(tensor, static_cast<int>(halvings));
    }
  }
  return model;
}

Result<std::vector<ForeignTensor>> write(const NamedModel& model, std::string_view design) {
  if (std::find(std::begin(kArchitectures), std::end(kArchitectures), design) ==
      std::end(kArchitectures))
    return fail(Code::unsupported,
                "GGUF files of {} are read by no program; use safetensors or pth", design);
  if ((design == "rwkv6" || design == "rwkv7") && !model.tensors.contains("blocks.0.ln0.weight"))
    return fail(Code::unsupported,
                "the model has no norm behind its embedding, and GGUF files of {} have one; use "
                "safetensors or pth",
                design);
  // llama.cpp wants layer 0's v0, v1 and v2 there, and reads nothing of them; its own converter
  // puts those of a.
  NamedTensors tensors = model.tensors;
  if (design == "rwkv7" || design == "arwkv7")
    for (const char* which : {"0", "1", "2"})
      if (const auto a = tensors.find(fmt::format("blocks.0.att.a{}", which)); a != tensors.end())
        tensors.insert_or_assign(fmt::format("blocks.0.att.v{}", which), a->second);
  SK_TRY(auto out, write_names(tensors, table_of(design), "GGUF"));
  for (ForeignTensor& tensor : out)
    if (tensor.name.ends_with("time_mix_r_k.weight")) tensor.shape = {tensor.shape.elements()};
  return out;
}

Metadata describe(const NamedModel& model, const Architecture& architecture,
                  std::string_view design) {
  const Dimensions& d = architecture.dimensions();
  Metadata out;
  const auto put = [&](const char* key, MetaValue value) {
    out[fmt::format("{}.{}", design, key)] = std::move(value);
  };
  const bool qwen = design == "rwkv6qwen2" || design == "arwkv7";
  out["general.architecture"] = std::string(design);
  out["general.quantization_version"] = uint64_t{2};
  put("context_length", uint64_t{1} << 20);  // means nothing here, and has to be there
  put("embedding_length", d.width);
  put("block_count", d.layers);
  put("feed_forward_length", d.inner);
  put("vocab_size", d.vocab);
  put("attention.head_count", int64_t{0});
  const float epsilon = model.hints.norm_epsilon;
  put(qwen ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon",
      epsilon > 0 ? double{epsilon}
      : qwen      ? 1e-6
                  : 1e-5);
  put("wkv.head_size", d.head_size);
  put("token_shift_count", int64_t{qwen ? 1 : 2});
  const auto columns = [&](const char* name) -> int64_t {
    const auto found = model.tensors.find(name);
    return found == model.tensors.end() ? 0 : found->second.shape[1];
  };
  if (design == "rwkv6" || design == "rwkv6qwen2") {
    put("time_mix_extra_dim", columns("blocks.0.att.time_maa_w1") / 5);
    put("time_decay_extra_dim", columns("blocks.0.att.time_decay_w1"));
    put("rescale_every_n_layers", int64_t{0});
    if (model.hints.key_value_heads > 0)
      put("attention.head_count_kv", model.hints.key_value_heads);
  } else {
    put("attention.decay_lora_rank", columns("blocks.0.att.w1"));
    put("attention.iclr_lora_rank", columns("blocks.0.att.a1"));
    // Of a later layer: in layer 0 stand copies of a's.
    put("attention.value_residual_mix_lora_rank",
        columns(d.layers > 1 ? "blocks.1.att.v1" : "blocks.0.att.a1"));
    put("attention.gate_lora_rank", columns("blocks.0.att.g1"));
  }
  return out;
}

}  // namespace

const Naming kGguf = {"gguf", "GGUF", is_gguf, translate, write, describe, Format::gguf};

}  // namespace skein::arch::names
