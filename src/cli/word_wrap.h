// Text that comes in pieces, broken between words where a terminal's line ends.
#pragma once

#include <string>
#include <string_view>

namespace skein::cli {

class WordWrap {
 public:
  // `width`: columns of the terminal. The cursor stands at the beginning of a line.
  explicit WordWrap(int width) : width_(width) {}

  // What to write for the next piece, whose characters are whole: a word that has begun and does
  // not fit is taken back and begun on the next line. Words longer than a line, and scripts without
  // blanks, are broken where the line ends. Holds no controls but line ends and tabs.
  std::string next(std::string_view piece);

 private:
  void put(std::string_view character, int columns, std::string& out);

  int width_;
  int column_ = 0;    // of the cursor
  std::string word_;  // what has been written of it since `start_`
  int start_ = 0;
};

}  // namespace skein::cli
