// A line on a terminal, over as many rows as it needs: what to write so that the terminal shows it.
#pragma once

#include <string>
#include <vector>

#include "cli/line_buffer.h"

namespace skein::cli {

// Draws from the first difference to what is there on. Rows are left to the terminal to break, so
// that it knows that they belong together, when it is resized and when they are copied. To come to
// a column, the row is written again up to there: whatever the terminal thinks of an emoji's width,
// the cursor stands behind it.
class LineView {
 public:
  LineView(int width, int height) { set_size(width, height); }

  // What makes the terminal show `glyphs`, the cursor on the one of this number or behind the last.
  std::string draw(std::vector<Glyph> glyphs, size_t cursor);
  // The cursor behind the line, all of which is shown.
  std::string leave();
  // The cursor stands at the beginning of an empty row now.
  void restart();
  // The terminal has another size. To be followed by draw().
  std::string resize(int width, int height);

 private:
  struct Place {
    size_t row = 0;
    int column = 0;
  };
  // Of each glyph, and of what would follow the last.
  std::vector<Place> places_of(const std::vector<Glyph>& glyphs) const;
  void set_size(int width, int height);
  size_t window_for(size_t row) const;
  void go_up_to_window(std::string& out);
  void go_to(Place place, size_t index, std::string& out);
  size_t first_in(size_t row) const;
  bool ends_a_line(size_t next) const;
  size_t rows_above(size_t first) const;
  bool write_from(size_t index, size_t rows_end, std::string& out);

  int width_ = 80;
  size_t height_ = 24;
  std::vector<Glyph> glyphs_;
  std::vector<Place> places_ = {Place{}};
  size_t cursor_ = 0;  // the glyph that it is on
  size_t row_ = 0;     // of the terminal's cursor
  size_t top_ = 0;     // the first row that is shown, of a line that is higher than the terminal
};

}  // namespace skein::cli
