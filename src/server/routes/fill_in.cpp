#include "server/routes/fill_in.h"

#include <filesystem>
#include <utility>

#include "base/limits.h"

namespace skein::server {
namespace {

constexpr std::string_view kMark = "✿";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool has_word(std::string_view name, std::string_view word) {
  for (size_t n = 0; n + word.size() <= name.size(); ++n) {
    size_t same = 0;
    while (same < word.size() && (name[n + same] | 0x20) == word[same]) ++same;
    const bool begins = n == 0 || !is_letter(name[n - 1]);
    const bool ends = n + word.size() == name.size() || !is_letter(name[n + word.size()]);
    if (same == word.size() && begins && ends) return true;
  }
  return false;
}

}  // namespace

bool fills_in(const Served& served) {
  const std::string file =
      std::filesystem::path(served.host->model().info().file).filename().string();
  return has_word(served.host->name(), "fim") || has_word(file, "fim");
}

void fill_in(const Served& served, Fields& fields, std::string_view field, std::string_view prefix,
             std::string_view suffix, Completion& asked, GenerateOptions& options) {
  if (!fills_in(served))
    return fields.decline(field, "this model was not trained to fill in the middle of a text");
  std::string text = text::render_fill_in(prefix, suffix);
  auto ids = served.host->tokenizer().encode(text);
  if (!ids) return fields.refuse(field, ids.error().message);
  if (ids->size() > limits::kPromptTokens)
    return fields.refuse(
        {.message = fmt::format("{} tokens are more than {}", ids->size(), limits::kPromptTokens),
         .param = std::string(fields.theirs(field)),
         .code = "context_length_exceeded"});
  std::vector<std::string>& stops = options.stops.stop_strings;
  if (stops.size() < limits::kStopStrings) stops.emplace_back(kMark);
  asked.prompts = {std::move(*ids)};
  asked.texts = {std::move(text)};
}

}  // namespace skein::server
