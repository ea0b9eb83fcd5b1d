// Hugging Face names of models grown from Qwen2: RWKV6Qwen2ForCausalLM (QRWKV6) and
// RwkvHybridForCausalLM (ARWKV).
#include "arch/names/mixes6.h"
#include "arch/names/table.h"

namespace skein::arch::names {
namespace {

constexpr Row kTop[] = {
    {"model.embed_tokens.weight", "emb.weight"},
    {"lm_head.weight", "head.weight"},
    {"model.norm.weight", "ln_out.weight"},
};

constexpr Row kLayer[] = {
    {"input_layernorm.weight", "ln1.weight"},    {"post_attention_layernorm.weight", "ln2.weight"},
    {"mlp.gate_proj.weight", "ffn.gate.weight"}, {"mlp.up_proj.weight", "ffn.up.weight"},
    {"mlp.down_proj.weight", "ffn.down.weight"},
};

constexpr std::string_view kMixer7 = "self_attn.time_mixer.";  // official names follow

constexpr Row kLayer6[] = {
    {"self_attn.q_proj.weight", "att.receptance.weight"},
    {"self_attn.q_proj.bias", "att.receptance.bias"},
    {"self_attn.k_proj.weight", "att.key.weight"},
    {"self_attn.k_proj.bias", "att.key.bias"},
    {"self_attn.v_proj.weight", "att.value.weight"},
    {"self_attn.v_proj.bias", "att.value.bias"},
    {"self_attn.gate.weight", "att.gate.weight"},
    {"self_attn.o_proj.weight", "att.output.weight"},
    {"self_attn.time_maa_x", "att.time_maa_x"},
    {"self_attn.time_maa_w", "att.time_maa_w"},
    {"self_attn.time_maa_k", "att.time_maa_k"},
    {"self_attn.time_maa_v", "att.time_maa_v"},
    {"self_attn.time_maa_r", "att.time_maa_r"},
    {"self_attn.time_maa_g", "att.time_maa_g"},
    {"self_attn.time_decay", "att.time_decay"},
    {"self_attn.time_decay_w1", "att.time_decay_w1"},
    {"self_attn.time_decay_w2", "att.time_decay_w2"},
};

bool is_qwen(const Container& container) {
  return has(container, "model.layers.0.self_attn.time_maa_x") ||
         has(container, "model.layers.0.self_attn.time_mixer.r_k");
}

Result<NamedModel> translate(const Container& container, std::string_view file_name) {
  const auto special = [&](const StoredTensor& tensor, int64_t layer, std::string_view local,
                           NamedTensors& out) -> Result<bool> {
    const auto put_here = [&](std::string_view name, StoredTensor value) -> Result<bool> {
      SK_TRY_STATUS(
          put(fmt::format("blocks.{}.att.{}", layer, name), std::move(value), file_name, out));
      return true;
    };
    if (local.starts_with(kMixer7)) {
      const std::string_view name = local.substr(kMixer7.size());
      return put_here(name, squeezed(tensor, name));
    }
    if (local == "self_attn.time_maa_w1") {
      SK_TRY_STATUS(check_fifths(tensor, 1, file_name));
      return put_here("time_maa_w1",
                      reordered_fifths(tensor.transposed(), inverse(kQwenMixes)).transposed());
    }
    if (local == "self_attn.time_maa_w2") {
      if (tensor.shape.rank() != 3 || tensor.shape[0] != 5)
        return fail(Code::mismatch, "{}: tensor {} is {}, expected five matrices", file_name,
                    escaped(tensor.name), tensor.shape.text());
      const StoredTensor rows = reordered_stack(tensor, inverse(kQwenMixes));
      return put_here("time_maa_w2", rows.reshaped(tensor.shape));
    }
    return false;
  };
  const Table table = {
      .layer_prefix = "model.layers.", .top = {kTop}, .in_layer = {kLayer, kLayer6}};
  NamedModel model;
  SK_TRY(model.tensors, read_names(container, table, file_name, special));
  const auto count = [&](const char* key) {
    return count_of(container, fmt::format("config.{}", key), file_name);
  };
  SK_TRY(model.hints.norm_epsilon, epsilon_of(container, "config.rms_norm_eps", file_name));
  SK_TRY(const int64_t divisor, count("head_size_divisor"));
  model.hints.group_epsilon = 1e-5f * static_cast<float>(divisor * divisor);
  SK_TRY(model.hints.head_size, count("head_dim"));
  if (model.hints.head_size == 0) {
    SK_TRY(model.hints.head_size, count("head_size"));
  }
  if (model.hints.head_size == 0) {
    SK_TRY(const int64_t width, count("hidden_size"));
    SK_TRY(const int64_t heads, count("num_attention_heads"));
    if (heads > 0) model.hints.head_size = width / heads;
  }
  SK_TRY(model.hints.key_value_heads, count("num_key_value_heads"));
  SK_TRY_STATUS(tie_head(container, "lm_head.weight", file_name, model));
  return model;
}

}  // namespace

const Naming kQwen = {"qwen", "Hugging Face Qwen2", is_qwen, translate};

}  // namespace skein::arch::names
