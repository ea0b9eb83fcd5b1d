// One line being typed: what each key does to it, with the history, the search in it and
// completion.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/line_buffer.h"
#include "cli/line_history.h"

namespace skein::cli {

// What could stand at the end of what has been typed.
struct Choices {
  struct Word {
    std::string text;
    std::string end = " ";   // is typed behind it, when it is the only one
    std::string shown = {};  // in a list; empty: the text
  };
  bool apply = false;  // false: a tab is a character here
  size_t begin = 0;    // of the word that they are for, in what was typed
  std::vector<Word> words = {};
};
// Asked with what stands before the cursor. Words that do not begin like the typed one are left out
// by who asks.
using Complete = std::function<Choices(std::string_view before)>;

class LineEdit {
 public:
  LineEdit(const LineHistory& history, const Complete& complete);

  enum class Outcome { going_on, done, end, suspend, clear_screen, choices };
  Outcome press(const KeyPress& press);
  // After Outcome::choices: what fits, to be listed.
  const std::vector<std::string>& choices() const { return listed_; }

  std::string text() const { return buffer_.text(); }
  // The line with this prompt before it, whose escape sequences take no room. The glyph that the
  // cursor is on.
  size_t draw(std::string_view prompt, std::vector<Glyph>& out) const;

 private:
  void paste(const std::string& text);
  Outcome complete();
  void recall(size_t at);
  bool search(const KeyPress& press);
  void look_back(size_t from);

  const LineHistory& history_;
  const Complete& complete_;
  LineBuffer buffer_;
  size_t pastes_ = 0;
  std::vector<std::string> listed_;
  size_t at_;         // in the history; its size: the new line
  LineBuffer draft_;  // the new line, while an old one is shown
  bool searching_ = false, found_ = true;
  std::string wanted_;
  size_t searched_from_ = 0;
  LineBuffer before_search_;
  size_t at_before_search_ = 0;
};

}  // namespace skein::cli
