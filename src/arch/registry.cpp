#include "arch/registry.h"

#include <algorithm>
#include <set>

#include "arch/adapter.h"
#include "arch/declared.h"
#include "arch/names/names.h"
#include "arch/shapes.h"

namespace skein::arch {

// Each design's file defines how it is opened. Errors: mismatch, unsupported (sizes beyond the
// limits).
using Opened = Result<std::unique_ptr<Architecture>>;
Opened open_rwkv4(const NamedModel& model, std::string_view file_name);
Opened open_rwkv5(const NamedModel& model, std::string_view file_name);
Opened open_rwkv6(const NamedModel& model, std::string_view file_name);
Opened open_rwkv7(const NamedModel& model, std::string_view file_name);
Opened open_rwkv7a(const NamedModel& model, std::string_view file_name);
Opened open_arwkv7(const NamedModel& model, std::string_view file_name);
Opened open_qrwkv6(const NamedModel& model, std::string_view file_name);

namespace {

// The order of the enumerators is that of kDesigns.
enum Id {
  kQrwkv6,
  kArwkv7,
  kRwkvX,
  k7b,
  k8Hybrid,
  k7a,
  k8Rc00,
  kRosaLm,
  kRosaQkv,
  kRosaCounting,
  k6Experimental,
  kMishGlu,
  kTinyAttention,
  kPreConverted,
  kRwkv7,
  kRwkv6,
  kRwkv52,
  kRwkv51,
  kRwkv50,
  kRwkv4,
};

constexpr Design kDesigns[] = {
    {"rwkv6qwen2", "QRWKV6 (RWKV-6 grown from Qwen2)", open_qrwkv6},
    {"arwkv7", "ARWKV (RWKV-7 grown from Qwen2)", open_arwkv7},
    {"rwkv-x", "RWKV-X", nullptr},
    {"rwkv7b", "RWKV-7b", nullptr},
    {"rwkv8-rc00-hybrid", "RWKV-8 rc00 hybrid", nullptr},
    {"rwkv7a", "RWKV-7a", open_rwkv7a},
    {"rwkv8-rc00", "RWKV-8 rc00", nullptr},
    {"rosa-lm", "ROSA language model", nullptr},
    {"rosa-qkv", "ROSA-QKV demo", nullptr},
    {"rosa-counting", "ROSA counting demo", nullptr},
    {"rwkv6-experimental", "experimental RWKV-6 (x060a, b or c)", nullptr},
    {"mishglu", "RWKV with MishGLU", nullptr},
    {"rwkv-tiny-attention", "RWKV with extra attention layers", nullptr},
    {"pre-converted", "RWKV converted by the official package for one strategy", nullptr},
    {"rwkv7", "RWKV-7 \"Goose\"", open_rwkv7},
    {"rwkv6", "RWKV-6 \"Finch\"", open_rwkv6},
    {"rwkv5.2", "RWKV-5.2 \"Eagle\"", open_rwkv5},
    {"rwkv5.1", "RWKV-5.1", open_rwkv5},
    {"rwkv5.0", "RWKV-5.0", open_rwkv5},
    {"rwkv4", "RWKV-4 \"Dove\"", open_rwkv4},
};

// A tensor name that gives a design away, tried in order: designs that share the marks of a plain
// generation come before it.
struct Mark {
  Id id;
  std::string_view part;
  enum { whole, begin, inside } where;
};
constexpr Mark kMarks[] = {
    {kRwkvX, "moba.", Mark::begin},
    {k7b, "blocks.0.qkv.k_emb.weight", Mark::whole},
    {k8Hybrid, "blocks.0.qkv.ennk.weight", Mark::whole},
    {k7a, "blocks.0.ffn.s_emb.weight", Mark::whole},
    {k7a, "blocks.0.ffn.s_emb_x.weight", Mark::whole},
    {k8Rc00, "blocks.0.ffn.enn.weight", Mark::whole},
    {k7b, ".qkv.", Mark::inside},
    {kRosaLm, "blocks.0.rosa.rosa_qkv.emb", Mark::whole},
    {kRosaQkv, "rosa1.rosa_qkv.emb", Mark::whole},
    {kRosaCounting, "rosa1.emb0", Mark::whole},
    {k6Experimental, ".att.time_maa_rkvw_w1", Mark::inside},
    {k6Experimental, ".att.gate_w1", Mark::inside},
    {kMishGlu, ".ffn.aa", Mark::inside},
    {kTinyAttention, "blocks.0.ffnPre.", Mark::begin},
    {kTinyAttention, ".tiny_", Mark::inside},
    {kTinyAttention, "pos_emb_x", Mark::begin},
    {kTinyAttention, "head_q", Mark::begin},
    {kTinyAttention, "copy_mask", Mark::begin},
    {kArwkv7, "model.layers.0.self_attn.time_mixer.r_k", Mark::whole},
    {kQrwkv6, "model.layers.0.self_attn.time_maa_x", Mark::whole},
    {kQrwkv6, "blocks.0.ffn.gate.weight", Mark::whole},  // or ARWKV, see find_design
    {kRwkv7, "blocks.0.att.r_k", Mark::whole},
    {kRwkv7, "model.layers.0.attn.k_k", Mark::whole},
    {kRwkv6, "blocks.0.att.time_maa_x", Mark::whole},
    {kRwkv6, "blocks.0.att.time_mix_x", Mark::whole},  // web-rwkv
    {kRwkv6, "model.layers.0.attn.bonus", Mark::whole},
    {kRwkv6, "rwkv.blocks.0.attention.time_maa_x", Mark::whole},
};

bool found(const Container& container, const Mark& mark) {
  return std::any_of(container.tensors.begin(), container.tensors.end(), [&](const auto& tensor) {
    const std::string_view name = tensor.name;
    switch (mark.where) {
      case Mark::whole: return name == mark.part;
      case Mark::begin: return name.starts_with(mark.part);
      case Mark::inside: return name.find(mark.part) != std::string_view::npos;
    }
    return false;
  });
}

// The last rows of the table in spec order: RWKV-4 and the minor versions of 5, which differ in
// what they lack and in the shape of the decay. `att` is "blocks.0.att." in the naming at hand.
const Design* old_generation(const Container& container, const std::string& att) {
  using names::has;
  const StoredTensor* decay = nullptr;
  for (const StoredTensor& tensor : container.tensors)
    if (tensor.name == att + "time_decay") decay = &tensor;
  if (!decay) return nullptr;
  if (!has(container, att + "ln_x.weight")) {
    return has(container, att + "time_first") ? &kDesigns[kRwkv4] : nullptr;
  }
  if (!has(container, att + "gate.weight")) return &kDesigns[kRwkv50];
  // One number a head; a model of one head has one row of them otherwise.
  const bool per_head = decay->shape.rank() < 1 || decay->shape.elements() == decay->shape[0];
  return per_head ? &kDesigns[kRwkv51] : &kDesigns[kRwkv52];
}

const Design* find_design(const Container& container) {
  if (container.format == Format::gguf) {
    const std::string_view arch = names::text_of(container, "general.architecture");
    for (const Design& design : kDesigns)
      if (arch == design.id) return &design;
    return nullptr;
  }
  // The official package's conversions keep official names and hold other numbers: norms and
  // exponentials are applied, matrices turned over and divided.
  if (container.metadata.contains("_strategy")) return &kDesigns[kPreConverted];
  for (const Mark& mark : kMarks) {
    if (!found(container, mark)) continue;
    if (mark.id == kQrwkv6 && names::has(container, "blocks.0.att.r_k")) return &kDesigns[kArwkv7];
    return &kDesigns[mark.id];
  }
  for (const char* att : {"blocks.0.att.", "rwkv.blocks.0.attention."})
    if (const Design* design = old_generation(container, att)) return design;
  return nullptr;
}

std::string what_else(const Container& container) {
  const auto count = container.tensors.size();
  if (container.list) return fmt::format("a list of {} tensors, as a saved state is", count);
  if (container.format == Format::gguf) {
    const std::string_view arch = names::text_of(container, "general.architecture");
    if (!arch.empty())
      return fmt::format("a GGUF of the architecture \"{}\", which is no RWKV", escaped(arch));
  }
  if (holds_tuned_states(container)) return fmt::format("tuned initial states of {} layers", count);
  if (const std::string adapter = describe_adapter(container); !adapter.empty())
    return adapter + ", to be merged into a model";
  std::string list;
  for (size_t i = 0; i < std::min<size_t>(count, 3); ++i)
    list += (i ? ", " : "") + escaped(container.tensors[i].name, 80);
  return count == 0 ? "a file without tensors"
                    : fmt::format("a file of {} {}: {}{}", count, count == 1 ? "tensor" : "tensors",
                                  list, count > 3 ? " ..." : "");
}

}  // namespace

std::span<const Design> designs() { return kDesigns; }

std::string Identified::title() const {
  return design ? fmt::format("{} {}", design->title, size_name(parameters)) : hint;
}

Identified identify(const Container& container) {
  Identified out;
  for (const StoredTensor& tensor : container.tensors) out.parameters += tensor.shape.elements();
  // An adapter can bring whole tensors along that a model is told by.
  if (!container.list && identify_adapter(container) == AdapterKind::none)
    out.design = find_design(container);
  if (!out.design) {
    out.hint = what_else(container);
    return out;
  }
  if (const names::Naming* naming = names::find_naming(container)) out.naming = naming->title;
  return out;
}

bool holds_tuned_states(const Container& container) {
  return !container.tensors.empty() &&
         std::all_of(container.tensors.begin(), container.tensors.end(),
                     [](const StoredTensor& tensor) { return is_tuned_state(tensor.name); });
}

Result<NamedModel> official_model(const Container& container, const Identified& what,
                                  std::string_view file_name) {
  if (!what.design)
    return fail(Code::unsupported, "{}: no model in this file; it is {}", file_name, what.hint);
  if (!what.design->open) {
    if (what.design == &kDesigns[kPreConverted])
      return fail(Code::unsupported,
                  "{}: weights that the official package has converted for one strategy; "
                  "use the file they were made from",
                  file_name);
    return fail(Code::unsupported, "{}: {}: not runnable yet", file_name, what.title());
  }
  const names::Naming* naming = names::find_naming(container);
  if (!naming)
    return fail(Code::mismatch, "{}: {} with tensor names of no known program", file_name,
                what.title());
  return naming->translate(container, file_name);
}

Result<OpenedModel> open_model(const Container& container, const Identified& what,
                               std::string_view file_name) {
  OpenedModel out;
  SK_TRY(out.model, official_model(container, what, file_name));
  SK_TRY(out.architecture, what.design->open(out.model, file_name));
  SK_TRY_STATUS(check_declared(container, names::find_naming(container)->id, what.design->id,
                               out.architecture->dimensions(), out.model.tensors, file_name));
  return out;
}

std::vector<std::string> unknown_tensors(const Architecture& architecture,
                                         const NamedTensors& tensors) {
  std::set<std::string> known;
  for (const WeightSpec& spec : architecture.weights()) known.insert(spec.name);
  std::vector<std::string> out;
  for (const auto& [name, tensor] : tensors)
    if (!known.contains(name)) out.push_back(name);
  return out;
}

}  // namespace skein::arch
