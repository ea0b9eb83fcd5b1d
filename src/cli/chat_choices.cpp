// What Tab offers in a chat: the commands and, from the same table, what follows each of them.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "cli/chat_view.h"

namespace skein::cli {

// As a shell has it: ~/x below the home folder.
std::string with_home(std::string_view path) {
  const char* home = std::getenv("HOME");
  return path.starts_with("~/") && home && *home ? home + std::string(path.substr(1))
                                                 : std::string(path);
}

Choices ChatView::choices(std::string_view before) const {
  if (reader_.in_block() || (!before.empty() && before[0] != '/')) return {};
  const size_t blank = before.find_first_of(" \t");
  Choices out = {.apply = true};
  if (blank == std::string_view::npos) {
    for (const Command& command : commands()) out.words.push_back({std::string(command.name)});
    return out;
  }
  out.begin = std::min(before.find_first_not_of(" \t", blank), before.size());
  for (const Command& command : commands())
    if (command.name == before.substr(0, blank) && command.words)
      out.words = (this->*command.words)(before.substr(out.begin));
  return out;
}

namespace {

ChatView::Words plain_words(std::initializer_list<const char*> words) {
  ChatView::Words out;
  for (const char* word : words) out.push_back({word, ""});
  return out;
}

}  // namespace

ChatView::Words ChatView::branch_words(std::string_view) const {
  Words out;
  for (const std::string& name : chat_.branches()) out.push_back({name, ""});
  return out;
}

ChatView::Words ChatView::think_words(std::string_view) const {
  Words out;
  for (const text::ThinkMode mode : chat_.settings().profile->think_modes)
    out.push_back({std::string(text::think_mode_name(mode)), ""});
  return out;
}

ChatView::Words ChatView::stats_words(std::string_view) const {
  return plain_words({"on", "off", "all"});
}

ChatView::Words ChatView::show_words(std::string_view) const {
  return plain_words({"params", "prompt", "state"});
}

// The key, and behind "=" its present value, to be changed.
ChatView::Words ChatView::setting_words(std::string_view typed) const {
  Words out;
  for (const auto& [name, value] : parameters()) {
    if (name == "profile") continue;
    if (!typed.starts_with(name + "="))
      out.push_back({name, "="});
    else if (name == "think")
      for (const Choices::Word& mode : think_words(""))
        out.push_back({name + "=" + mode.text, "", mode.text});
    else
      out.push_back({name + "=" + value, ""});
  }
  return out;
}

// Of the folder that has been typed so far.
ChatView::Words ChatView::file_words(std::string_view typed) const {
  constexpr size_t kMostNames = 10'000;
  const size_t slash = typed.rfind('/');
  const std::string folder(typed.substr(0, slash == std::string_view::npos ? 0 : slash + 1));
  const std::string_view begun = typed.substr(folder.size());
  const std::filesystem::path place = folder.empty() ? "." : with_home(folder);
  Words out;
  if (typed == "~") return {{"~", "/"}};
  const auto names = names_in(place, kMostNames);
  if (!names) return out;
  for (const std::string& name : *names) {
    if (!name.starts_with(begun) || (name[0] == '.' && begun.empty())) continue;
    std::error_code ignored;
    const bool deeper = std::filesystem::is_directory(place / name, ignored);
    out.push_back({folder + name, deeper ? "/" : "", name + (deeper ? "/" : "")});
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.text < b.text; });
  return out;
}

}  // namespace skein::cli
