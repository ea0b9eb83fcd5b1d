// The text of a line that is being edited, as what a cursor steps over: characters with all that
// joins them, and pastes that something shorter stands for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/line_keys.h"

namespace skein::cli {

// What is drawn as one: a character as a terminal shows it.
struct Glyph {
  std::string text;
  int columns = 1;
  // Terminals agree on the columns. They do not where one emoji is made of several.
  bool certain = true;
};

// `text` as glyphs. What a terminal would obey is shown and not sent: ^A, blanks for a tab.
std::vector<Glyph> glyphs_of(std::string_view text);

class LineBuffer {
 public:
  void insert(std::string_view text);
  // `shown` stands for `text` in the line.
  void insert_paste(std::string shown, std::string text);
  // Replaces everything; the cursor goes to the end.
  void set(std::string_view text);
  // Replaces the `bytes` of text before the cursor.
  void replace_before(size_t bytes, std::string_view text);

  // Whether the key was one of moving or editing.
  bool apply(Key key);

  bool empty() const { return elements_.empty(); }
  std::string text() const { return text_of(0, elements_.size()); }
  std::string before() const { return text_of(0, cursor_); }
  // Adds what is shown. The glyph that the cursor stands on, or the number of glyphs.
  size_t draw(std::vector<Glyph>& out) const;

 private:
  struct Element {
    std::string text;
    std::string shown;  // empty: the text itself
  };
  std::string text_of(size_t begin, size_t end) const;
  void join_at(size_t at);
  void remove(size_t begin, size_t end);
  void cut(size_t begin, size_t end);
  void put_back();
  void exchange();
  template <typename Inside>
  size_t left_of(const Inside& inside) const;
  size_t word_left() const;
  size_t word_right() const;

  std::vector<Element> elements_;
  size_t cursor_ = 0;  // the element that it stands before
  std::vector<Element> removed_;
  bool removing_ = false;  // the last key cut something: more is added to that
};

}  // namespace skein::cli
