#include "constrain/text_reader.h"

#include <algorithm>

#include "text/unicode.h"

namespace skein::constrain {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_word_letter(char c) { return is_letter(c) || is_digit(c) || c == '_'; }

bool TextReader::take(char c) {
  if (done() || text_[at_] != c) return false;
  ++at_;
  return true;
}

bool TextReader::take(std::string_view word) {
  if (!starts_with(word)) return false;
  at_ += word.size();
  return true;
}

uint32_t TextReader::take_character() {
  const text::Character c = text::first_character(rest());
  at_ += std::max<size_t>(c.length, 1);
  return c.code;
}

std::optional<uint32_t> TextReader::take_hex(size_t count) {
  uint32_t value = 0;
  for (size_t n = 0; n < count; ++n) {
    const char c = peek(n);
    if (!is_hex_digit(c)) return std::nullopt;
    value = value << 4 | static_cast<uint32_t>(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  at_ += count;
  return value;
}

std::optional<uint32_t> TextReader::take_number(uint32_t most) {
  if (!is_digit(peek())) return std::nullopt;
  uint64_t value = 0;
  while (is_digit(peek())) {
    value =
        std::min<uint64_t>(value * 10 + static_cast<uint64_t>(peek() - '0'), uint64_t{most} + 1);
    ++at_;
  }
  return static_cast<uint32_t>(value);
}

std::string_view TextReader::take_while(bool (*belongs)(char)) {
  const size_t begin = at_;
  while (!done() && belongs(text_[at_])) ++at_;
  return from(begin);
}

std::string TextReader::place(size_t at) const {
  const std::string_view before = text_.substr(0, std::min(at, text_.size()));
  const size_t line = static_cast<size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  const size_t begin = before.rfind('\n') + 1;  // npos + 1 is 0
  const size_t column =
      static_cast<size_t>(
          std::count_if(before.begin() + static_cast<std::ptrdiff_t>(begin), before.end(),
                        [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; })) +
      1;
  return fmt::format("{}:{}", line, column);
}

std::optional<Problem> check_text(std::string_view text, size_t most_bytes, std::string_view what,
                                  std::string_view code) {
  if (text.size() > most_bytes)
    return Problem{
        "constraint_too_large", "1:1",
        fmt::format("{} has {} bytes; at most {} are taken", what, text.size(), most_bytes)};
  const size_t bad = text::first_invalid_utf8(text);
  if (bad != std::string_view::npos)
    return Problem{std::string(code), TextReader(text).place(bad),
                   fmt::format("{} is not UTF-8", what)};
  return std::nullopt;
}

std::string shown(const TextReader& reader, size_t at) {
  TextReader there = reader;
  there.go_to(at);
  if (there.done()) return "the end";
  if (there.peek() == '\n') return "the end of the line";
  if (there.peek() == '"') return "'\"'";
  const size_t length = std::max<size_t>(text::first_character(there.rest()).length, 1);
  return fmt::format("\"{}\"", escaped(there.rest().substr(0, length)));
}

}  // namespace skein::constrain
