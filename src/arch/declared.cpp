#include "arch/declared.h"

#include <charconv>
#include <optional>

namespace skein::arch {
namespace {

using Sizes = const Dimensions&;
using Tensors = const NamedTensors&;

// RWKV-4 has no heads.
int64_t or_nothing(int64_t size) { return size > 0 ? size : kNothing; }

int64_t layers(Sizes d, Tensors) { return d.layers; }
int64_t width(Sizes d, Tensors) { return d.width; }
int64_t inner(Sizes d, Tensors) { return d.inner; }
int64_t vocab(Sizes d, Tensors) { return d.vocab; }
int64_t heads(Sizes d, Tensors) { return or_nothing(d.heads); }
int64_t head_size(Sizes d, Tensors) { return or_nothing(d.head_size); }

// Of a low-rank pair, by the first of the two, [in, rank].
int64_t rank_of(Tensors tensors, std::string_view name) {
  const auto found = tensors.find(name);
  return found == tensors.end() || found->second.shape.rank() != 2 ? kNothing
                                                                   : found->second.shape[1];
}
int64_t rank_w(Sizes, Tensors t) { return rank_of(t, "blocks.0.att.w1"); }
int64_t rank_a(Sizes, Tensors t) { return rank_of(t, "blocks.0.att.a1"); }
int64_t rank_v(Sizes, Tensors t) { return rank_of(t, "blocks.1.att.v1"); }  // layer 0 has none
int64_t rank_g(Sizes, Tensors t) { return rank_of(t, "blocks.0.att.g1"); }
int64_t rank_g_or_0(Sizes d, Tensors t) { return std::max<int64_t>(rank_g(d, t), 0); }
int64_t rank_decay(Sizes, Tensors t) { return rank_of(t, "blocks.0.att.time_decay_w1"); }
int64_t rank_mix(Sizes, Tensors t) {
  const int64_t five = rank_of(t, "blocks.0.att.time_maa_w1");
  return five == kNothing ? kNothing : five / 5;
}

constexpr std::string_view kAllButArwkv =
    "rwkv4 rwkv5.0 rwkv5.1 rwkv5.2 rwkv6 rwkv7 rwkv7a rwkv6qwen2";

constexpr DeclaredSize kSizes[] = {
    {"*.block_count", "gguf", "", "layers", layers},
    {"*.embedding_length", "gguf", "", "channels", width},
    {"*.feed_forward_length", "gguf", "", "channels of the feed-forward", inner},
    {"*.vocab_size", "gguf", "", "rows of the vocabulary", vocab},
    {"*.wkv.head_size", "gguf", "", "channels of a head", head_size},
    {"*.attention.decay_lora_rank", "gguf", "rwkv7 arwkv7", "columns of w1", rank_w},
    {"*.attention.iclr_lora_rank", "gguf", "rwkv7 arwkv7", "columns of a1", rank_a},
    {"*.attention.value_residual_mix_lora_rank", "gguf", "rwkv7 arwkv7", "columns of v1", rank_v},
    {"*.attention.gate_lora_rank", "gguf", "rwkv7 arwkv7", "columns of g1", rank_g_or_0},
    // Of a folder, whoever named the tensors.
    {"config.num_hidden_layers", "", "", "layers", layers},
    {"config.n_layer", "", "", "layers", layers},
    {"config.hidden_size", "", "", "channels", width},
    {"config.n_embd", "", "", "channels", width},
    {"config.attention_hidden_size", "hf", "", "channels", width},
    {"config.intermediate_size", "", "", "channels of the feed-forward", inner},
    {"config.dim_ffn", "", "", "channels of the feed-forward", inner},
    {"config.vocab_size", "", "", "rows of the vocabulary", vocab},
    {"config.head_size", "hf", "", "channels of a head", head_size},
    {"config.head_size", "qwen", "", "channels of a head", head_size},
    {"config.head_dim", "fla", "", "channels of a head", head_size},
    {"config.head_dim", "qwen", "rwkv6qwen2", "channels of a head", head_size},
    {"config.num_heads", "fla", "", "heads", heads},
    {"config.num_attention_heads", "qwen", "rwkv6qwen2", "heads", heads},
    {"config.decay_low_rank_dim", "fla", "rwkv7", "columns of w1", rank_w},
    {"config.a_low_rank_dim", "fla", "rwkv7", "columns of a1", rank_a},
    {"config.v_low_rank_dim", "fla", "rwkv7", "columns of v1", rank_v},
    {"config.gate_low_rank_dim", "fla", "rwkv7", "columns of g1", rank_g},
    {"config.proj_low_rank_dim", "fla", "rwkv6", "columns of a fifth of time_maa_w1", rank_mix},
    {"config.gate_low_rank_dim", "fla", "rwkv6", "columns of time_decay_w1", rank_decay},
    {"config.lora_rank_tokenshift", "qwen", "rwkv6qwen2", "columns of a fifth of time_maa_w1",
     rank_mix},
    {"config.lora_rank_decay", "qwen", "rwkv6qwen2", "columns of time_decay_w1", rank_decay},
    {"config.lora_rank_decay", "qwen", "arwkv7", "columns of w1", rank_w},
    {"config.lora_rank_iclr", "qwen", "arwkv7", "columns of a1", rank_a},
    {"config.lora_rank_value_residual_mix", "qwen", "arwkv7", "columns of v1", rank_v},
    {"config.lora_rank_gate", "qwen", "arwkv7", "columns of g1", rank_g},
    // rwkv.cpp's head, and what trainers put beside the tensors of a checkpoint.
    {"n_layer", "", "", "layers", layers},
    {"n_embed", "", "", "channels", width},
    {"n_embd", "", "", "channels", width},
    {"n_vocab", "", "", "rows of the vocabulary", vocab},
    // Skein's own. A head of ARWKV is what r_k says.
    {"skein.head_size", "", kAllButArwkv, "channels of a head", head_size},
};

using Missing = DeclaredPart::Missing;
constexpr std::string_view kLn0 = "blocks.0.ln0.weight";

constexpr DeclaredPart kParts[] = {
    {"config.norm_first", "fla", "", kLn0, Missing::means_yes, false},
    {"", "hf", "", kLn0, Missing::means_yes, false},
    {"", "gguf", "rwkv6 rwkv7", kLn0, Missing::means_yes, false},
    {"", "rwkv.cpp", "", kLn0, Missing::means_yes, false},
    // That model's program has biases unless it is told otherwise, and is told nothing in good
    // files.
    {"config.attention_bias", "qwen", "rwkv6qwen2", "blocks.0.att.receptance.bias",
     Missing::says_nothing, true},
    {"config.wkv_has_gate", "qwen", "arwkv7", "blocks.0.att.g1", Missing::says_nothing, false},
    {"config.wkv_has_group_norm", "qwen", "arwkv7", "blocks.0.att.ln_x.weight",
     Missing::says_nothing, false},
};

constexpr DeclaredWord kWords[] = {
    {"config.model_type", "fla", "rwkv6", "rwkv6"},
    {"config.model_type", "fla", "rwkv7", "rwkv7"},
    {"config.hidden_act", "fla", "", "sqrelu relu2"},
    {"config.hidden_act", "qwen", "", "silu swish"},
};

bool is_among(std::string_view word, std::string_view words) {
  while (!words.empty()) {
    const size_t end = std::min(words.find(' '), words.size());
    if (words.substr(0, end) == word) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

template <typename Row>
bool is_meant(const Row& row, std::string_view naming, std::string_view design) {
  return (row.naming.empty() || row.naming == naming) &&
         (row.designs.empty() || is_among(design, row.designs));
}

std::string whole_key(std::string_view key, std::string_view design) {
  return key.starts_with('*') ? fmt::format("{}{}", design, key.substr(1)) : std::string(key);
}

const MetaValue* find(const Container& container, std::string_view key) {
  const auto found = container.metadata.find(key);
  return found == container.metadata.end() ? nullptr : &found->second;
}

// The number or numbers that a value is; nothing where it is something else.
std::optional<std::vector<double>> numbers_of(const MetaValue& value) {
  return std::visit(
      [](const auto& held) -> std::optional<std::vector<double>> {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::string>) {
          // safetensors has nothing but text.
          double number = 0;
          const char* end = held.data() + held.size();
          const auto [stop, error] = std::from_chars(held.data(), end, number);
          if (error != std::errc() || stop != end) return std::nullopt;
          return std::vector<double>{number};
        } else if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::vector<bool>> ||
                             std::is_same_v<T, std::vector<std::string>>) {
          return std::nullopt;
        } else if constexpr (std::is_arithmetic_v<T>) {
          return std::vector<double>{static_cast<double>(held)};
        } else {
          return std::vector<double>(held.begin(), held.end());
        }
      },
      value);
}

Status check_size(const Container& container, const DeclaredSize& row, const std::string& key,
                  Sizes sizes, Tensors tensors, std::string_view file_name) {
  const MetaValue* value = find(container, key);
  if (!value) return {};
  const auto numbers = numbers_of(*value);
  // A word of a checkpoint's own may mean something else.
  const bool own_key = key.find('.') == std::string::npos;
  if (!numbers || numbers->empty()) {
    if (own_key) return {};
    return fail(Code::corrupt, "{}: the key {} is no number", file_name, escaped(key));
  }
  const int64_t held = row.held(sizes, tensors);
  if (held == kNothing) return {};
  for (const double number : *numbers)
    if (number != static_cast<double>(held))
      return fail(Code::corrupt, "{}: {} is {}, but the tensors have {} {}", file_name,
                  escaped(key), number, held, row.what);
  return {};
}

Status check_part(const Container& container, const DeclaredPart& row, Tensors tensors,
                  std::string_view file_name) {
  const MetaValue* value = row.key.empty() ? nullptr : find(container, row.key);
  const bool has = tensors.contains(row.tensor);
  if (!value) {
    if (has || row.missing == Missing::says_nothing) return {};
    return fail(Code::mismatch, "{}: tensor {} is missing{}", file_name, row.tensor,
                row.key.empty() ? std::string(", which such files have")
                                : fmt::format(", and nothing says {} false", row.key));
  }
  const bool* flag = std::get_if<bool>(value);
  if (!flag)
    return fail(Code::corrupt, "{}: the key {} is neither true nor false", file_name, row.key);
  if (*flag == has || (has && row.may_be_more)) return {};
  return fail(Code::corrupt, "{}: {} is {}, but tensor {} is {}", file_name, row.key, *flag,
              row.tensor, has ? "there" : "missing");
}

}  // namespace

std::span<const DeclaredSize> declared_sizes() { return kSizes; }
std::span<const DeclaredPart> declared_parts() { return kParts; }
std::span<const DeclaredWord> declared_words() { return kWords; }

Status check_declared(const Container& container, std::string_view naming, std::string_view design,
                      const Dimensions& sizes, const NamedTensors& tensors,
                      std::string_view file_name) {
  if (const MetaValue* value = find(container, "skein.design"))
    if (const auto* text = std::get_if<std::string>(value); !text || *text != design)
      return fail(Code::corrupt, "{}: skein.design is {}, but the tensors are those of {}",
                  file_name, text ? escaped(*text, 40) : "no text", design);
  for (const DeclaredSize& row : kSizes)
    if (is_meant(row, naming, design))
      SK_TRY_STATUS(
          check_size(container, row, whole_key(row.key, design), sizes, tensors, file_name));
  for (const DeclaredPart& row : kParts)
    if (is_meant(row, naming, design))
      SK_TRY_STATUS(check_part(container, row, tensors, file_name));
  for (const DeclaredWord& row : kWords) {
    const MetaValue* value = is_meant(row, naming, design) ? find(container, row.key) : nullptr;
    if (!value) continue;
    const auto* text = std::get_if<std::string>(value);
    if (!text || !is_among(*text, row.words))
      return fail(Code::unsupported, "{}: {} is {}; only {} is known of this design", file_name,
                  row.key, text ? escaped(*text, 40) : "no text", row.words);
  }
  return {};
}

}  // namespace skein::arch
