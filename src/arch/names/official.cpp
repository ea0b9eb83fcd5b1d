// Official names, and web-rwkv's: nearly the same, with the low-rank pairs transposed and RWKV-6's
// `maa` called `mix` again.
#include "arch/names/table.h"
#include "quant/imports/pip_i8.h"

namespace skein::arch::names {
namespace {

bool is_official(const Container& container) {
  // Not by one tensor: of a file that lacks it the message should name it.
  return (has(container, "emb.weight") || has(container, "blocks.0.ln1.weight")) &&
         container.format != Format::ggmf && container.format != Format::gguf &&
         container.format != Format::packed;
}

// RWKV-7 has the same names on both sides. Officially w1 is [D, R]; a converted file has [R, D].
// When R equals D the shape says nothing, and a file is taken as official.
bool swapped_pairs(const Container& container) {
  const StoredTensor* w1 = find(container, "blocks.0.att.w1");
  const StoredTensor* emb = find(container, "emb.weight");
  if (!w1 || !emb || w1->shape.rank() < 2 || emb->shape.rank() != 2) return false;
  const Shape shape = squeezed(*w1, "att.w1").shape;
  return shape.rank() == 2 && shape[1] == emb->shape[1] && shape[0] != emb->shape[1];
}

// web-rwkv calls time_faaaa time_first, as a whole vector. What is officially time_first is the
// logarithm of a number for each head (RWKV-5.0, 5.1), or belongs to RWKV-4, which has no ln_x.
bool renamed_bonus(const Container& container) {
  const StoredTensor* first = find(container, "blocks.0.att.time_first");
  const StoredTensor* emb = find(container, "emb.weight");
  return first && emb && emb->shape.rank() == 2 && has(container, "blocks.0.att.ln_x.weight") &&
         first->shape.elements() == emb->shape[1];
}

bool is_web_rwkv(const Container& container) {
  return is_official(container) && (swapped_pairs(container) || renamed_bonus(container) ||
                                    has(container, "blocks.0.att.time_mix_x"));
}

bool is_packed(const Container& container) { return container.format == Format::packed; }

// Names (after their own) that web-rwkv's converter stores with the last two axes swapped, and we
// in a packed file.
bool swapped(std::string_view name) {
  for (const char* part : {"att.w1", "att.w2", "att.a1", "att.a2", "att.g1", "att.g2", "att.v1",
                           "att.v2", "att.time_maa_w1", "att.time_maa_w2", "att.time_decay_w1",
                           "att.time_decay_w2", "ffn.s1", "ffn.s2", "time_state"})
    if (name.ends_with(part)) return true;
  return false;
}

// What a file of ours says besides its tensors.
Result<Hints> own_hints(const Container& container, std::string_view file_name) {
  Hints hints;
  SK_TRY(hints.norm_epsilon, epsilon_of(container, "skein.norm_epsilon", file_name));
  SK_TRY(hints.group_epsilon, epsilon_of(container, "skein.group_epsilon", file_name));
  SK_TRY(hints.head_size, count_of(container, "skein.head_size", file_name));
  SK_TRY(hints.key_value_heads, count_of(container, "skein.key_value_heads", file_name));
  return hints;
}

// A matrix that the `rwkv` package's i8 scheme made five tensors of becomes one again.
Status join_pip_int8(NamedTensors& tensors) {
  // No other scheme has it.
  constexpr std::string_view kMark = quant::kPipI8Parts[1].suffix;
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors)
    if (name.ends_with(kMark) && (name.starts_with("blocks.") || name.starts_with("head.")))
      names.push_back(name.substr(0, name.size() - kMark.size()));
  for (const std::string& name : names) {
    quant::PipI8Tensors parts;
    for (const quant::PipI8Part& part : quant::kPipI8Parts) {
      const auto found = tensors.find(fmt::format("{}{}", name, part.suffix));
      if (found == tensors.end())
        return fail(Code::mismatch, "of the five tensors of {} one is missing", escaped(name));
      parts.*part.place = found->second;
      tensors.erase(found);
    }
    SK_TRY(StoredTensor joined, quant::pip_i8_tensor(name, parts));
    tensors.emplace(name, joined.transposed());
  }
  return {};
}

Result<NamedModel> keep_names(const Container& container, std::string_view file_name) {
  NamedModel model;
  SK_TRY(model.hints, own_hints(container, file_name));
  for (const StoredTensor& tensor : container.tensors)
    SK_TRY_STATUS(put(tensor.name, squeezed(tensor, tensor.name), file_name, model.tensors));
  if (auto joined = join_pip_int8(model.tensors); !joined)
    return fail(joined.error().code, "{}: {}", file_name, joined.error().message);
  return model;
}

Result<NamedModel> undo_web_rwkv(const Container& container, std::string_view file_name) {
  NamedModel model;
  const bool six = has(container, "blocks.0.att.time_mix_x");
  for (const StoredTensor& tensor : container.tensors) {
    std::string name = tensor.name;
    const auto replace = [&](std::string_view from, std::string_view to) {
      if (const size_t at = name.find(from); at != std::string::npos)
        name.replace(at, from.size(), to);
    };
    if (six) replace(".time_mix_", ".time_maa_");
    replace(".att.time_first", ".att.time_faaaa");
    StoredTensor official = squeezed(tensor, name);
    if (swapped(name)) official = turned(std::move(official));
    SK_TRY_STATUS(put(std::move(name), std::move(official), file_name, model.tensors));
  }
  return model;
}

Result<NamedModel> turn_back(const Container& container, std::string_view file_name) {
  SK_TRY(NamedModel model, keep_names(container, file_name));
  for (auto& [name, tensor] : model.tensors) {
    if (swapped(name)) tensor = turned(std::move(tensor));
  }
  return model;
}

// Vectors that official files keep as [1, 1, D], which training code compares when it loads one.
bool three_axes(std::string_view name, std::string_view design) {
  int64_t layer = 0;
  std::string_view local;
  if (!split_layer(name, "blocks.", layer, local)) return false;
  for (const char* begin :
       {"att.x_", "ffn.x_", "att.time_mix_", "ffn.time_mix_", "att.time_maa_", "ffn.time_maa_"})
    if (local.starts_with(begin)) return !swapped(name);
  for (const char* whole : {"att.w0", "att.a0", "att.v0", "att.k_k", "att.k_a", "ffn.s0"})
    if (local == whole) return true;
  return local == "att.time_decay" && (design == "rwkv6" || design == "rwkv6qwen2");
}

Result<std::vector<ForeignTensor>> write(const NamedModel& model, std::string_view design) {
  std::vector<ForeignTensor> out;
  for (const auto& [name, tensor] : model.tensors) {
    const bool vector = tensor.shape.squeezed().rank() <= 1;
    const Shape shape =
        vector && three_axes(name, design) ? Shape{1, 1, tensor.shape.elements()} : tensor.shape;
    out.push_back({.name = name, .official = name, .shape = shape, .parts = {tensor}});
  }
  return out;
}

Result<std::vector<ForeignTensor>> write_turned(const NamedModel& model, std::string_view design) {
  SK_TRY(std::vector<ForeignTensor> out, write(model, design));
  for (ForeignTensor& tensor : out) {
    if (!swapped(tensor.name) || tensor.shape.rank() < 2) continue;
    tensor.parts[0] = tensor.parts[0].transposed();
    tensor.shape = tensor.parts[0].shape;
  }
  return out;
}

Metadata describe(const NamedModel& model, const Architecture&, std::string_view design) {
  Metadata out;
  out["skein.design"] = std::string(design);
  const Hints& hints = model.hints;
  if (hints.norm_epsilon > 0) out["skein.norm_epsilon"] = double{hints.norm_epsilon};
  if (hints.group_epsilon > 0) out["skein.group_epsilon"] = double{hints.group_epsilon};
  if (hints.head_size > 0) out["skein.head_size"] = hints.head_size;
  if (hints.key_value_heads > 0) out["skein.key_value_heads"] = hints.key_value_heads;
  return out;
}

}  // namespace

const Naming kOfficial = {"official", "official", is_official, keep_names,
                          write,      describe,   {},          true};
const Naming kPacked = {"packed",     "Skein",  is_packed,      turn_back,
                        write_turned, describe, Format::packed, true};
const Naming kWebRwkv = {"web-rwkv", "web-rwkv", is_web_rwkv, undo_web_rwkv};

}  // namespace skein::arch::names
