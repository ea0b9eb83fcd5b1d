#include "io/wrappers.h"

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_map>

namespace skein::io {
namespace {

// What can stand between any two dots, and says nothing about the tensor: DataParallel and DDP,
// DeepSpeed, torch.compile, activation checkpointing, FSDP and its predecessor.
constexpr std::string_view kAnywhere[] = {
    "module",
    "_forward_module",
    "_orig_mod",
    "_checkpoint_wrapped_module",
    "_fsdp_wrapped_module",
    "_fpw_module",
};
// Lightning and PEFT call what they hold so. Hugging Face's own names can begin with the first.
constexpr std::string_view kLeading[] = {"model", "base_model"};

// How the names of models, adapters and states begin that are known here, as arch/names reads them.
constexpr std::string_view kRoots[] = {
    "emb.",  "blocks.",     "head.",           "ln_out.",  "rwkv.",
    "blk.",  "token_embd.", "output.",         "lm_head.", "output_norm.",
    "moba.", "rosa1.",      "token_embd_norm."};
// Those that have one `model.` before them.
constexpr std::string_view kRootsOfModel[] = {"layers.", "embeddings.", "embed_tokens.", "norm."};

template <typename List>
bool begins_with_one_of(std::string_view name, const List& list) {
  return std::any_of(std::begin(list), std::end(list),
                     [name](std::string_view begin) { return name.starts_with(begin); });
}

template <typename List>
bool is_one_of(std::string_view word, const List& list) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

struct Name {
  std::string text;      // without the words that may stand anywhere
  size_t leading = 0;    // bytes of the words at the beginning
  size_t last_word = 0;  // bytes of the last of them, if that is `model`
  bool changed = false;
};

// The last part is a tensor's own name and stays.
Name without_words(std::string_view whole, std::set<std::string_view>& words) {
  Name out;
  std::string_view rest = whole;
  bool at_front = true;
  for (size_t dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
    const std::string_view word = rest.substr(0, dot);
    rest.remove_prefix(dot + 1);
    if (is_one_of(word, kAnywhere)) {
      words.insert(*std::find(std::begin(kAnywhere), std::end(kAnywhere), word));
      out.changed = true;
      continue;
    }
    at_front = at_front && is_one_of(word, kLeading);
    if (at_front) {
      out.leading += dot + 1;
      out.last_word = word == kLeading[0] ? dot + 1 : 0;
    }
    out.text += word;
    out.text += '.';
  }
  out.text += rest;
  return out;
}

// How many bytes of the beginning of a known name are wrappers'; nothing if the name is not known.
std::optional<size_t> wrapper_bytes(const Name& name) {
  const std::string_view rest = std::string_view(name.text).substr(name.leading);
  if (name.last_word > 0 && begins_with_one_of(rest, kRootsOfModel))
    return name.leading - name.last_word;
  if (begins_with_one_of(rest, kRoots)) return name.leading;
  return std::nullopt;
}

}  // namespace

Status unwrap_names(Container& container) {
  if (container.list) return {};
  std::set<std::string_view> words;
  std::vector<Name> names;
  std::string prefix;  // the longest that a known name has
  bool changed = false;
  for (const StoredTensor& tensor : container.tensors) {
    const Name& name = names.emplace_back(without_words(tensor.name, words));
    changed = changed || name.changed;
    const auto bytes = wrapper_bytes(name);
    if (bytes && *bytes > prefix.size()) prefix = name.text.substr(0, *bytes);
  }
  if (!changed && prefix.empty()) return {};

  std::vector<bool> known;
  for (Name& name : names) {
    const auto bytes = wrapper_bytes(name);
    known.push_back(bytes.has_value());
    if (bytes)
      name.text.erase(0, *bytes);
    else if (!prefix.empty() && name.text.starts_with(prefix) && name.text != prefix)
      name.text.erase(0, prefix.size());
  }
  std::unordered_map<std::string, size_t> taken;
  // Names that stay as they are come first, so that of what no model has the others can stay too.
  for (const bool changes : {false, true}) {
    for (size_t i = 0; i < names.size(); ++i) {
      const std::string& whole = container.tensors[i].name;
      std::string& name = names[i].text;
      if (changes == (name == whole)) continue;
      if (taken.emplace(name, i).second) continue;
      if (!known[i] && taken.emplace(whole, i).second) {
        name = whole;
        continue;
      }
      return fail(Code::corrupt,
                  "the tensors {} and {} are both {}, without what wrappers put into their names",
                  escaped(container.tensors[taken[name]].name), escaped(whole), escaped(name));
    }
  }
  for (size_t i = 0; i < names.size(); ++i) container.tensors[i].name = std::move(names[i].text);
  std::string list = prefix.empty() ? "" : "\"" + prefix + "\"";
  for (const std::string_view word : words)
    list += fmt::format("{}\"{}.\"", list.empty() ? "" : ", ", word);
  container.notes.push_back(fmt::format("the wrappers' {} {} removed from the names", list,
                                        words.size() + !prefix.empty() > 1 ? "were" : "was"));
  return {};
}

}  // namespace skein::io
