#include "arch/names/names.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace skein::arch::names {

const StoredTensor* find(const Container& container, std::string_view name) {
  for (const StoredTensor& tensor : container.tensors)
    if (tensor.name == name) return &tensor;
  return nullptr;
}

bool has(const Container& container, std::string_view name) {
  return find(container, name) != nullptr;
}

std::string_view text_of(const Container& container, std::string_view key) {
  const auto found = container.metadata.find(key);
  if (found == container.metadata.end()) return {};
  const auto* text = std::get_if<std::string>(&found->second);
  return text ? std::string_view(*text) : std::string_view();
}

Result<double> number_of(const Container& container, std::string_view key,
                         std::string_view file_name) {
  const auto found = container.metadata.find(key);
  if (found == container.metadata.end()) return 0.0;
  const MetaValue& value = found->second;
  if (const auto* u = std::get_if<uint64_t>(&value)) return static_cast<double>(*u);
  if (const auto* i = std::get_if<int64_t>(&value)) return static_cast<double>(*i);
  double number = std::numeric_limits<double>::quiet_NaN();
  if (const auto* d = std::get_if<double>(&value)) number = *d;
  // safetensors has nothing but text.
  if (const auto* text = std::get_if<std::string>(&value);
      text && container.format == Format::safetensors && !key.starts_with("config.")) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc() || end != text->data() + text->size())
      number = std::numeric_limits<double>::quiet_NaN();
  }
  if (!std::isfinite(number))
    return fail(Code::corrupt, "{}: the key {} is no number", file_name, escaped(key));
  return number;
}

Result<float> epsilon_of(const Container& container, std::string_view key,
                         std::string_view file_name) {
  SK_TRY(const double value, number_of(container, key, file_name));
  if (value == 0) return 0.0f;
  if (!(value >= 1e-30 && value <= 1))
    return fail(Code::corrupt, "{}: the key {} is {}, which is no epsilon", file_name, escaped(key),
                value);
  return static_cast<float>(value);
}

Result<int64_t> count_of(const Container& container, std::string_view key,
                         std::string_view file_name) {
  SK_TRY(const double value, number_of(container, key, file_name));
  if (value == 0) return 0;
  if (!(value >= 1 && value <= 65536) || value != std::floor(value))
    return fail(Code::corrupt, "{}: the key {} is {}, which is no count", file_name, escaped(key),
                value);
  return static_cast<int64_t>(value);
}

Status tie_head(const Container& container, std::string_view head, std::string_view file_name,
                NamedModel& model) {
  constexpr std::string_view kKey = "config.tie_word_embeddings";
  const auto emb = model.tensors.find("emb.weight");
  if (model.tensors.contains("head.weight") || emb == model.tensors.end()) return {};
  const auto found = container.metadata.find(kKey);
  if (found == container.metadata.end())
    return fail(Code::mismatch,
                "{}: tensor {} is missing, and no config.json says tie_word_embeddings true, which "
                "would put the embedding in its place",
                file_name, head);
  const bool* tied = std::get_if<bool>(&found->second);
  if (!tied)
    return fail(Code::corrupt, "{}: the key {} is neither true nor false", file_name, kKey);
  if (!*tied)
    return fail(Code::corrupt,
                "{}: tensor {} is missing, and config.json says tie_word_embeddings false, so that "
                "the embedding is not the head",
                file_name, head);
  model.tensors.try_emplace("head.weight", emb->second);
  return {};
}

bool split_layer(std::string_view name, std::string_view prefix, int64_t& layer,
                 std::string_view& rest) {
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
  const auto digits = static_cast<size_t>(end - name.data());
  if (error != std::errc() || layer < 0 || digits == name.size() || *end != '.') return false;
  rest = name.substr(digits + 1);
  return true;
}

std::span<const Naming* const> namings() {
  // web-rwkv before official: the same names, told apart by shapes.
  static constexpr const Naming* kAll[] = {&kGguf,        &kGgmf, &kPacked,  &kFla,
                                           &kHuggingFace, &kQwen, &kWebRwkv, &kOfficial};
  return kAll;
}

const Naming* find_naming(const Container& container) {
  for (const Naming* naming : namings())
    if (naming->matches(container)) return naming;
  return nullptr;
}

}  // namespace skein::arch::names
