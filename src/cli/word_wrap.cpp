#include "cli/word_wrap.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/unicode.h"

namespace skein::cli {

std::string WordWrap::next(std::string_view piece) {
  constexpr int kTab = 8;
  std::string out;
  for (size_t at = 0; at < piece.size();) {
    const text::Character character = text::first_character(piece.substr(at));
    const std::string_view bytes = piece.substr(at, std::max<size_t>(character.length, 1));
    at += bytes.size();
    if (bytes == "\n") {
      out += '\n';
      column_ = 0;
      word_.clear();
    } else if (bytes == " " || bytes == "\t") {
      word_.clear();
      const int end = bytes == " " ? column_ + 1 : (column_ / kTab + 1) * kTab;
      // A blank at the end of a line is the end of the line.
      if (end > width_) {
        out += '\n';
        column_ = 0;
      } else {
        out += bytes;
        column_ = std::min(end, width_);
      }
    } else {
      const int columns = character.length > 0 ? text::columns_of(character.code) : 1;
      // Between wide characters a line may end anywhere.
      if (columns > 1) word_.clear();
      put(bytes, columns, out);
      if (columns > 1) word_.clear();
    }
  }
  return out;
}

void WordWrap::put(std::string_view character, int columns, std::string& out) {
  if (word_.empty()) start_ = column_;
  if (column_ + columns > width_) {
    if (!word_.empty() && start_ > 0) {
      // Back to where the word began, nothing from there on, and again on the next line.
      out += fmt::format("\033[{}G\033[K\n{}", start_ + 1, word_);
      column_ -= start_;
    } else {
      out += '\n';
      column_ = 0;
      word_.clear();
    }
    start_ = 0;
  }
  out += character;
  word_ += character;
  column_ += columns;
}

}  // namespace skein::cli
