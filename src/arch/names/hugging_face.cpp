// Names of transformers' RwkvForCausalLM (RWKV-4) and of the RWKV/rwkv-5-world and rwkv-6-world
// repositories: official ones with the words spelled out. Nothing is transposed or rescaled.
#include "arch/names/table.h"

namespace skein::arch::names {
namespace {

constexpr std::string_view kPrefix = "rwkv.";

bool is_hugging_face(const Container& container) {
  return has(container, "rwkv.embeddings.weight");
}

struct Word {
  std::string_view from, to;
};
constexpr Word kWords[] = {
    {"embeddings.", "emb."},
    {".pre_ln.", ".ln0."},
    {".attention.", ".att."},
    {".feed_forward.", ".ffn."},
    {".time_mix_key", ".time_mix_k"},
    {".time_mix_value", ".time_mix_v"},
    {".time_mix_receptance", ".time_mix_r"},
    {".time_mix_gate", ".time_mix_g"},
};

Result<NamedModel> translate(const Container& container, std::string_view file_name) {
  NamedModel model;
  SK_TRY(model.hints.norm_epsilon, epsilon_of(container, "config.layer_norm_epsilon", file_name));
  // The heads' outputs are divided before their norm; RWKV-5 by 8, which is in its own epsilon.
  SK_TRY(const int64_t divisor, count_of(container, "config.head_size_divisor", file_name));
  if (divisor > 0 && divisor != 8)
    model.hints.group_epsilon = 1e-5f * static_cast<float>(divisor * divisor);
  for (const StoredTensor& tensor : container.tensors) {
    std::string name = tensor.name;
    if (name.starts_with(kPrefix)) name.erase(0, kPrefix.size());
    for (const Word& word : kWords)
      if (const size_t at = name.find(word.from); at != std::string::npos)
        name.replace(at, word.from.size(), word.to);
    StoredTensor official = squeezed(tensor, name);
    SK_TRY_STATUS(put(std::move(name), std::move(official), file_name, model.tensors));
  }
  SK_TRY_STATUS(tie_head(container, "head.weight", file_name, model));
  return model;
}

}  // namespace

const Naming kHuggingFace = {"hf", "Hugging Face transformers", is_hugging_face, translate};

}  // namespace skein::arch::names
