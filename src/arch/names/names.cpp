#include "arch/names/names.h"

#include <algorithm>
#include <charconv>

namespace skein::arch::names {

bool has(const Container& container, std::string_view name) {
  return std::any_of(container.tensors.begin(), container.tensors.end(),
                     [&](const StoredTensor& tensor) { return tensor.name == name; });
}

std::string_view text_of(const Container& container, std::string_view key) {
  const auto found = container.metadata.find(key);
  if (found == container.metadata.end()) return {};
  const auto* text = std::get_if<std::string>(&found->second);
  return text ? std::string_view(*text) : std::string_view();
}

bool split_layer(std::string_view name, std::string_view prefix, int64_t& layer,
                 std::string_view& rest) {
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
  const auto digits = static_cast<size_t>(end - name.data());
  if (error != std::errc() || digits == name.size() || *end != '.') return false;
  rest = name.substr(digits + 1);
  return true;
}

const Naming* find_rwkv7_naming(const Container& container) {
  // web-rwkv before official: the same names, told apart by a shape.
  for (const Naming* naming : {&kGguf7, &kGgmf7, &kFla7, &kWebRwkv7, &kOfficial})
    if (naming->matches(container)) return naming;
  return nullptr;
}

}  // namespace skein::arch::names
