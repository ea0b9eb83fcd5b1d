#include "text/split.h"

#include <array>

#include "text/unicode.h"

namespace skein::text {
namespace {

struct Run {
  size_t length = 0;        // of all characters of one class
  size_t last = 0;          // of the last character among them
  size_t through_line = 0;  // up to and with the last line end among them
};

bool is_line_end(char32_t code) { return code == '\r' || code == '\n'; }

Run run_of(CharClass wanted, std::string_view text) {
  Run run;
  while (run.length < text.size()) {
    const Character c = first_character(text.substr(run.length, 4));
    if (c.length == 0 || char_class(c.code) != wanted) break;
    run.last = c.length;
    run.length += c.length;
    if (is_line_end(c.code)) run.through_line = run.length;
  }
  return run;
}

// \s+(?!\S)|\s+: a run of blanks leaves its last one to the word that follows, unless it is the
// only one.
size_t blanks_before_word(const Run& blanks, std::string_view rest) {
  const bool at_end = blanks.length == rest.size();
  return at_end || blanks.length == blanks.last ? blanks.length : blanks.length - blanks.last;
}

size_t first_word_20b(std::string_view rest) {
  constexpr std::array<std::string_view, 7> kEndings = {"'s", "'t",  "'re", "'ve",
                                                        "'m", "'ll", "'d"};
  if (rest[0] == '\'')
    for (const std::string_view ending : kEndings)
      if (rest.starts_with(ending)) return ending.size();

  const size_t space = rest[0] == ' ' && rest.size() > 1 ? 1 : 0;
  const CharClass kind = char_class(first_character(rest.substr(space, 4)).code);
  if (kind != CharClass::space) return space + run_of(kind, rest.substr(space)).length;
  return blanks_before_word(run_of(CharClass::space, rest), rest);
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d) at the beginning of `rest`, or 0. Without regard to case the long s
// (U+017F) is an s as well.
size_t contraction(std::string_view rest) {
  if (rest[0] != '\'') return 0;
  if (rest.substr(1).starts_with("\u017f")) return 3;
  const auto letter = [&](size_t n) {
    const char c = n < rest.size() ? rest[n] : '\0';
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  switch (letter(1)) {
    case 's':
    case 't':
    case 'm':
    case 'd': return 2;
    case 'r':
    case 'v': return letter(2) == 'e' ? 3 : 0;
    case 'l': return letter(2) == 'l' ? 3 : 0;
    default: return 0;
  }
}

size_t first_word_qwen2(std::string_view rest) {
  if (const size_t length = contraction(rest)) return length;
  const Character first = first_character(rest);
  const CharClass kind = char_class(first.code);
  if (kind == CharClass::letter) return run_of(CharClass::letter, rest).length;
  if (kind == CharClass::number) return first.length;

  // One character of any other kind but a line end belongs to the letters after it.
  const std::string_view after = rest.substr(first.length);
  const CharClass next =
      after.empty() ? CharClass::space : char_class(first_character(after.substr(0, 4)).code);
  if (next == CharClass::letter && !is_line_end(first.code))
    return first.length + run_of(CharClass::letter, after).length;

  if (kind == CharClass::other || (first.code == ' ' && next == CharClass::other)) {
    const size_t space = kind == CharClass::other ? 0 : 1;
    size_t length = space + run_of(CharClass::other, rest.substr(space)).length;
    while (length < rest.size() && is_line_end(static_cast<unsigned char>(rest[length]))) ++length;
    return length;
  }
  const Run blanks = run_of(CharClass::space, rest);
  return blanks.through_line > 0 ? blanks.through_line : blanks_before_word(blanks, rest);
}

constexpr std::string_view k20bNames[] = {"gpt-neox"};
// The distilled models of DeepSeek have other special tokens and the same words.
constexpr std::string_view kQwen2Names[] = {"qwen2", "deepseek-r1-qwen"};

constexpr Splitter kSplitters[] = {
    {"20B", R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
     k20bNames, true, first_word_20b},
    {"Qwen2",
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
     R"(|\s*[\r\n]+|\s+(?!\S)|\s+)",
     kQwen2Names, false, first_word_qwen2},
};

}  // namespace

std::span<const Splitter> splitters() { return kSplitters; }

const Splitter* splitter_by_pattern(std::string_view pattern) {
  for (const Splitter& splitter : kSplitters)
    if (splitter.pattern == pattern) return &splitter;
  return nullptr;
}

const Splitter* splitter_by_gguf_name(std::string_view name) {
  for (const Splitter& splitter : kSplitters)
    for (const std::string_view known : splitter.gguf_names)
      if (known == name) return &splitter;
  return nullptr;
}

const Splitter& byte_level_splitter() { return kSplitters[0]; }

}  // namespace skein::text
