// Reads the text of a pattern or a grammar, character by character, and says where something is
// wrong.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "constrain/grammar.h"

namespace skein::constrain {

class TextReader {
 public:
  explicit TextReader(std::string_view text) : text_(text) {}

  size_t at() const { return at_; }
  void go_to(size_t at) { at_ = at; }
  bool done() const { return at_ == text_.size(); }
  std::string_view rest() const { return text_.substr(at_); }
  std::string_view from(size_t begin) const { return text_.substr(begin, at_ - begin); }

  // The next byte; NUL at the end, as a NUL would be.
  char peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool starts_with(std::string_view word) const { return rest().starts_with(word); }
  void skip(size_t bytes) { at_ += bytes; }
  bool take(char c);
  bool take(std::string_view word);
  // The next character. The text is UTF-8 (see check_text) and not at its end.
  uint32_t take_character();
  // Exactly `count` hexadecimal digits.
  std::optional<uint32_t> take_hex(size_t count);
  // Decimal digits; what is more than `most` is most + 1.
  std::optional<uint32_t> take_number(uint32_t most);
  std::string_view take_while(bool (*belongs)(char));

  // "line:column", both from 1, columns in characters.
  std::string place(size_t at) const;

 private:
  std::string_view text_;
  size_t at_ = 0;
};

bool is_digit(char c);
bool is_hex_digit(char c);
bool is_letter(char c);       // ASCII
bool is_word_letter(char c);  // letters, digits and _

// Whether it is short enough and UTF-8; `what` begins the sentence ("the pattern").
std::optional<Problem> check_text(std::string_view text, size_t most_bytes, std::string_view what,
                                  std::string_view code);

// What stands at a place, for messages: the character in quotes, or "the end".
std::string shown(const TextReader& reader, size_t at);

}  // namespace skein::constrain
