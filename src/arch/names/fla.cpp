// Hugging Face `fla` names (flash-linear-attention's RWKV6ForCausalLM and RWKV7ForCausalLM).
#include "arch/names/mixes6.h"
#include "arch/names/table.h"

namespace skein::arch::names {
namespace {

constexpr std::string_view kMaaW1 = "attn.x_proj.0.linear.weight";  // [5R, D]
constexpr std::string_view kMaaW2 = "attn.x_proj.2.weight";         // [D, 5R]

constexpr Row kTop[] = {
    {"model.embeddings.weight", "emb.weight"},
    {"lm_head.weight", "head.weight"},
    {"model.norm.weight", "ln_out.weight"},
    {"model.norm.bias", "ln_out.bias"},
};

constexpr Row kLayer[] = {
    {"pre_norm.weight", "ln0.weight"},           {"pre_norm.bias", "ln0.bias"},
    {"attn_norm.weight", "ln1.weight"},          {"attn_norm.bias", "ln1.bias"},
    {"ffn_norm.weight", "ln2.weight"},           {"ffn_norm.bias", "ln2.bias"},
    {"attn.o_proj.weight", "att.output.weight"}, {"attn.g_norm.weight", "att.ln_x.weight"},
    {"attn.g_norm.bias", "att.ln_x.bias"},       {"ffn.value.weight", "ffn.value.weight"},
};

// nn.Linear keeps the low-rank pairs as [out, in], the other way round than officially.
constexpr Row kLayer7[] = {
    {"attn.r_proj.weight", "att.receptance.weight"},
    {"attn.k_proj.weight", "att.key.weight"},
    {"attn.v_proj.weight", "att.value.weight"},
    {"attn.x_r", "att.x_r", Form::three_axes},
    {"attn.x_w", "att.x_w", Form::three_axes},
    {"attn.x_k", "att.x_k", Form::three_axes},
    {"attn.x_v", "att.x_v", Form::three_axes},
    {"attn.x_a", "att.x_a", Form::three_axes},
    {"attn.x_g", "att.x_g", Form::three_axes},
    {"attn.x_x", "att.x_r att.x_w att.x_k att.x_v att.x_a att.x_g"},  // older files
    {"attn.k_k", "att.k_k"},
    {"attn.k_a", "att.k_a"},
    {"attn.r_k", "att.r_k"},
    {"attn.w_lora.lora.0.weight", "att.w1", Form::transposed},
    {"attn.w_lora.lora.2.weight", "att.w2", Form::transposed},
    {"attn.w_lora.lora.2.bias", "att.w0"},
    {"attn.a_lora.lora.0.weight", "att.a1", Form::transposed},
    {"attn.a_lora.lora.2.weight", "att.a2", Form::transposed},
    {"attn.a_lora.lora.2.bias", "att.a0"},
    {"attn.v_lora.lora.0.weight", "att.v1", Form::transposed},
    {"attn.v_lora.lora.2.weight", "att.v2", Form::transposed},
    {"attn.v_lora.lora.2.bias", "att.v0"},
    {"attn.g_lora.lora.0.weight", "att.g1", Form::transposed},
    {"attn.g_lora.lora.2.weight", "att.g2", Form::transposed},
    {"ffn.x_k", "ffn.x_k"},
    {"ffn.key.weight", "ffn.key.weight"},
};

constexpr Row kLayer6[] = {
    {"attn.r_proj.linear.weight", "att.receptance.weight"},
    {"attn.k_proj.linear.weight", "att.key.weight"},
    {"attn.v_proj.linear.weight", "att.value.weight"},
    {"attn.g_proj.linear.weight", "att.gate.weight"},
    {"attn.x_proj.0.mu", "att.time_maa_x"},
    {"attn.x_bias", "att.time_maa_r att.time_maa_w att.time_maa_k att.time_maa_v att.time_maa_g"},
    {"attn.w_proj.linear.lora.0.weight", "att.time_decay_w1", Form::transposed},
    {"attn.w_proj.linear.lora.2.weight", "att.time_decay_w2", Form::transposed},
    {"attn.w_proj.linear.lora.2.bias", "att.time_decay"},
    {"attn.bonus", "att.time_faaaa"},
    {"ffn.key.linear.weight", "ffn.key.weight"},
    {"ffn.key.mu", "ffn.time_maa_k"},
    {"ffn.receptance.linear.weight", "ffn.receptance.weight"},
    {"ffn.receptance.mu", "ffn.time_maa_r"},
};

Table table_of(bool six) {
  return {.layer_prefix = "model.layers.",
          .top = {kTop},
          .in_layer = {kLayer, six ? std::span<const Row>(kLayer6) : kLayer7}};
}

bool is_fla6(const Container& container) { return has(container, "model.layers.0.attn.bonus"); }

bool is_fla(const Container& container) {
  return is_fla6(container) || (has(container, "model.layers.0.attn.r_proj.weight") &&
                                has(container, "model.layers.0.attn.k_k"));
}

Result<NamedModel> translate(const Container& container, std::string_view file_name) {
  const bool six = is_fla6(container);
  const auto dynamic_mixes = [&](const StoredTensor& tensor, int64_t layer, std::string_view local,
                                 NamedTensors& out) -> Result<bool> {
    if (!six || (local != kMaaW1 && local != kMaaW2)) return false;
    const bool first = local == kMaaW1;
    SK_TRY_STATUS(check_fifths(tensor, first ? 0 : 1, file_name));
    const StoredTensor rows =
        reordered_fifths(first ? tensor : tensor.transposed(), inverse(kFlaMixes));
    const int64_t rank = rows.shape[0] / 5;
    SK_TRY_STATUS(put(fmt::format("blocks.{}.att.time_maa_w{}", layer, first ? 1 : 2),
                      first ? rows.transposed() : rows.reshaped({5, rank, rows.shape[1]}),
                      file_name, out));
    return true;
  };
  NamedModel model;
  SK_TRY(model.tensors, read_names(container, table_of(six), file_name, dynamic_mixes));
  // Its RWKV-6 normalises heads with norm_eps unscaled, but models made from official weights need
  // what those were trained with; its RWKV-7 scales by the head's width.
  SK_TRY(model.hints.norm_epsilon, epsilon_of(container, "config.norm_eps", file_name));
  SK_TRY(const int64_t head, count_of(container, "config.head_dim", file_name));
  if (!six) model.hints.group_epsilon = model.hints.norm_epsilon * static_cast<float>(head);
  SK_TRY_STATUS(tie_head(container, "lm_head.weight", file_name, model));
  return model;
}

Result<std::vector<ForeignTensor>> write(const NamedModel& model, std::string_view design) {
  const bool six = design == "rwkv6";
  if (!six && design != "rwkv7")
    return fail(Code::unsupported, "fla has no model of {}; it has rwkv6 and rwkv7", design);
  NamedTensors tensors = model.tensors;
  std::vector<ForeignTensor> out;
  for (auto it = tensors.begin(); it != tensors.end();) {
    int64_t layer = 0;
    std::string_view local;
    split_layer(it->first, "blocks.", layer, local);
    const bool first = local == "att.time_maa_w1";
    // Layer 0 of its RWKV-7 has no v_lora.
    const bool dropped =
        !six && layer == 0 && (local == "att.v0" || local == "att.v1" || local == "att.v2");
    if (!dropped && !first && local != "att.time_maa_w2") {
      ++it;
      continue;
    }
    if (!dropped) {
      const StoredTensor rows = first ? reordered_fifths(it->second.transposed(), kFlaMixes)
                                      : reordered_stack(it->second, kFlaMixes).transposed();
      out.push_back({.name = fmt::format("model.layers.{}.{}", layer, first ? kMaaW1 : kMaaW2),
                     .official = it->first,
                     .shape = rows.shape,
                     .parts = {rows}});
    }
    it = tensors.erase(it);
  }
  SK_TRY(auto rest, write_names(tensors, table_of(six), "fla"));
  for (ForeignTensor& tensor : rest) {
    if (tensor.name.ends_with("attn.x_bias")) tensor.shape = {tensor.shape[0], tensor.shape[3]};
    out.push_back(std::move(tensor));
  }
  return out;
}

// A config.json, as far as the model decides it.
Metadata describe(const NamedModel& model, const Architecture& architecture,
                  std::string_view design) {
  const Dimensions& d = architecture.dimensions();
  const bool six = design == "rwkv6";
  Metadata out;
  const auto columns = [&](const char* name) -> int64_t {
    const auto found = model.tensors.find(name);
    return found == model.tensors.end() ? 0 : found->second.shape[1];
  };
  out["config.architectures"] =
      std::vector<std::string>{six ? "RWKV6ForCausalLM" : "RWKV7ForCausalLM"};
  out["config.model_type"] = std::string(six ? "rwkv6" : "rwkv7");
  out["config.hidden_size"] = d.width;
  out["config.intermediate_size"] = d.inner;
  out["config.num_hidden_layers"] = d.layers;
  out["config.vocab_size"] = d.vocab;
  out["config.norm_first"] = model.tensors.contains("blocks.0.ln0.weight");
  out["config.norm_bias"] = true;
  out["config.norm_eps"] = model.hints.norm_epsilon > 0 ? double{model.hints.norm_epsilon} : 1e-5;
  out["config.tie_word_embeddings"] = false;
  out["config.hidden_act"] = std::string("sqrelu");
  if (six) {
    out["config.num_heads"] = d.heads;
    out["config.proj_low_rank_dim"] = columns("blocks.0.att.time_maa_w1") / 5;
    out["config.gate_low_rank_dim"] = columns("blocks.0.att.time_decay_w1");
  } else {
    out["config.head_dim"] = d.head_size;
    out["config.decay_low_rank_dim"] = columns("blocks.0.att.w1");
    out["config.a_low_rank_dim"] = columns("blocks.0.att.a1");
    out["config.v_low_rank_dim"] = columns("blocks.1.att.v1");
    out["config.gate_low_rank_dim"] = columns("blocks.0.att.g1");
  }
  return out;
}

}  // namespace

const Naming kFla = {"fla", "Hugging Face fla", is_fla, translate, write, describe};

}  // namespace skein::arch::names
