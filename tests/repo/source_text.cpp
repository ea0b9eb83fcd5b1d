#include "repo/source_text.h"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace skein::test {

namespace fs = std::filesystem;

namespace {

bool is_identifier(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Replaces [from, to) by spaces, except for line breaks.
void blank(std::string& text, size_t from, size_t to) {
  for (size_t i = from; i < std::min(to, text.size()); ++i)
    if (text[i] != '\n') text[i] = ' ';
}

// The end of the literal or comment that starts at `at`, or `at` when none does. `inside` is where
// its contents start and `contents_end` where they end.
struct Span {
  size_t inside, contents_end, end;
};

Span quoted(std::string_view text, size_t at, char quote) {
  size_t i = at + 1;
  while (i < text.size() && text[i] != quote && text[i] != '\n') i += text[i] == '\\' ? 2 : 1;
  i = std::min(i, text.size());
  return {at + 1, i, std::min(i + 1, text.size())};
}

Span raw_string(std::string_view text, size_t quote) {
  const size_t open = text.find('(', quote);
  if (open == std::string_view::npos) return {text.size(), text.size(), text.size()};
  const std::string close = ")" + std::string(text.substr(quote + 1, open - quote - 1)) + "\"";
  const size_t end = std::min(text.find(close, open), text.size());
  return {open + 1, end, std::min(end + close.size(), text.size())};
}

}  // namespace

std::vector<SourceFile> project_files(const std::vector<std::string>& places,
                                      const std::vector<std::string>& endings) {
  const fs::path root = SKEIN_SOURCE_DIR;
  std::vector<SourceFile> found;
  auto add = [&](const fs::path& path) {
    const std::string name = path.filename().string();
    for (const std::string& ending : endings)
      if (name.ends_with(ending)) {
        found.push_back({fs::relative(path, root).generic_string(), read(path)});
        return;
      }
  };
  for (const std::string& place : places) {
    if (fs::is_regular_file(root / place)) add(root / place);
    if (!fs::is_directory(root / place)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / place))
      if (entry.is_regular_file()) add(entry.path());
  }
  std::sort(found.begin(), found.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return found;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string code_only(std::string_view text) {
  std::string code(text);
  size_t i = 0;
  while (i < text.size()) {
    const bool starts_word = i == 0 || !is_identifier(text[i - 1]);
    if (text.substr(i, 2) == "//") {
      const size_t end = std::min(text.find('\n', i), text.size());
      blank(code, i, end);
      i = end;
    } else if (text.substr(i, 2) == "/*") {
      const size_t close = text.find("*/", i + 2);
      const size_t end = close == std::string_view::npos ? text.size() : close + 2;
      blank(code, i, end);
      i = end;
    } else if (text.substr(i, 2) == "R\"" && starts_word) {
      const Span span = raw_string(text, i + 1);
      blank(code, span.inside, span.contents_end);
      i = span.end;
    } else if (text[i] == '"' || (text[i] == '\'' && starts_word)) {
      // A quote inside a word separates digits (65'536).
      const Span span = quoted(text, i, text[i]);
      blank(code, span.inside, span.contents_end);
      i = span.end;
    } else {
      ++i;
    }
  }
  return code;
}

size_t find_word(std::string_view code, std::string_view word, size_t from) {
  for (size_t at = code.find(word, from); at != std::string_view::npos;
       at = code.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !is_identifier(code[at - 1])) &&
        (end == code.size() || !is_identifier(code[end])))
      return at;
  }
  return std::string_view::npos;
}

}  // namespace skein::test
