#include "cli/line_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace skein::cli {
namespace {

constexpr const char* kEraseBelow = "\033[J";

}  // namespace

void LineView::set_size(int width, int height) {
  width_ = std::max(width, 2);
  height_ = static_cast<size_t>(std::max(height, 1));
}

std::vector<LineView::Place> LineView::places_of(const std::vector<Glyph>& glyphs) const {
  std::vector<Place> places;
  places.reserve(glyphs.size() + 1);
  Place place;
  for (const Glyph& glyph : glyphs) {
    const int columns = std::min(glyph.columns, width_);
    if (place.column + columns > width_) place = {place.row + 1, 0};
    places.push_back(place);
    place.column += columns;
  }
  if (place.column >= width_) place = {place.row + 1, 0};
  places.push_back(place);
  return places;
}

// The first row to show so that `row` is seen and the view moves no more than it must.
size_t LineView::window_for(size_t row) const {
  const size_t rows = places_.back().row + 1;
  const size_t last = rows > height_ ? rows - height_ : 0;
  size_t top = std::min({top_, row, last});
  if (row >= top + height_) top = row + 1 - height_;
  return top;
}

void LineView::go_up_to_window(std::string& out) {
  out += '\r';
  if (row_ > top_) out += fmt::format("\033[{}A", row_ - top_);
  row_ = top_;
}

// To where the glyph of this number stands, or is to stand.
void LineView::go_to(Place place, size_t index, std::string& out) {
  out += '\r';
  if (place.row < row_) out += fmt::format("\033[{}A", row_ - place.row);
  if (place.row > row_) out += fmt::format("\033[{}B", place.row - row_);
  row_ = place.row;
  size_t first = index;
  while (first > 0 && places_[first - 1].row == place.row) --first;
  for (; first < index; ++first) out += glyphs_[first].text;
}

size_t LineView::first_in(size_t row) const {
  const auto first = std::find_if(places_.begin(), places_.end(),
                                  [&](const Place& place) { return place.row >= row; });
  return static_cast<size_t>(first - places_.begin());
}

// Whether the row that ends before this glyph ends with a line end of ours: its width is in doubt,
// or a terminal could break what follows in two.
bool LineView::ends_a_line(size_t next) const {
  if (next < glyphs_.size() && !glyphs_[next].certain) return true;
  for (size_t i = next; i > 0 && places_[i - 1].row == places_[next - 1].row; --i)
    if (!glyphs_[i - 1].certain) return true;
  return false;
}

// From where the cursor stands, up to that row; whether that was all.
bool LineView::write_from(size_t index, size_t rows_end, std::string& out) {
  for (; index < glyphs_.size() && places_[index].row < rows_end; ++index) {
    if (places_[index].row != row_ && ends_a_line(index)) out += "\r\n";
    row_ = places_[index].row;
    out += glyphs_[index].text;
  }
  // A full row: the cursor's row comes to be by a blank, which belongs to the same line.
  const size_t last = places_.back().row;
  if (index == glyphs_.size() && last != row_ && last < rows_end) {
    out += ends_a_line(index) ? "\r\n" : " \r\033[K";
    row_ = last;
  }
  return index == glyphs_.size() && row_ == last;
}

std::string LineView::draw(std::vector<Glyph> glyphs, size_t cursor) {
  const auto same = [](const Glyph& a, const Glyph& b) { return a.text == b.text; };
  const auto changed =
      std::mismatch(glyphs_.begin(), glyphs_.end(), glyphs.begin(), glyphs.end(), same);
  const auto at = static_cast<size_t>(changed.first - glyphs_.begin());
  const size_t old_size = glyphs_.size();
  const size_t old_cursor = std::exchange(cursor_, cursor);
  const Place old_place = places_[at];
  glyphs_ = std::move(glyphs);
  places_ = places_of(glyphs_);
  // A narrow character and a wide one may stand on two sides of a row's end: at the earlier.
  const Place place = places_[at].row < old_place.row ? places_[at] : old_place;

  std::string out;
  const size_t top = window_for(places_[cursor].row);
  bool at_end = false;
  if (top != top_ || place.row < top) {
    go_up_to_window(out);
    out += kEraseBelow;
    top_ = row_ = top;
    at_end = write_from(first_in(top), top + height_, out);
  } else if ((at < old_size || at < glyphs_.size()) && place.row < top + height_) {
    // What is added at the end is simply written.
    if (at < old_size || old_cursor < at) go_to(place, at, out);
    if (at < old_size) out += kEraseBelow;
    at_end = write_from(at, top + height_, out);
  }
  if (!at_end || cursor < glyphs_.size()) go_to(places_[cursor], cursor, out);
  return out;
}

std::string LineView::leave() {
  std::string out;
  if (places_.back().row >= height_) {
    go_up_to_window(out);
    out += kEraseBelow;
    top_ = row_ = 0;
    write_from(0, places_.back().row + 1, out);
  } else if (cursor_ < glyphs_.size()) {
    go_to(places_.back(), glyphs_.size(), out);
  }
  cursor_ = glyphs_.size();
  return out;
}

void LineView::restart() {
  glyphs_.clear();
  places_ = {Place{}};
  cursor_ = row_ = top_ = 0;
}

// How many rows above the cursor's the view begins on a terminal that has broken its lines anew and
// taken the cursor along.
size_t LineView::rows_above(size_t first) const {
  size_t rows = 0;
  int column = 0;
  for (size_t i = first;; ++i) {
    const int columns = i < glyphs_.size() ? std::min(glyphs_[i].columns, width_) : 1;
    const bool line_end = i > first && places_[i].row != places_[i - 1].row && ends_a_line(i);
    if (line_end || column + columns > width_) {
      ++rows;
      column = 0;
    }
    if (i == cursor_) return rows;
    column += columns;
  }
}

std::string LineView::resize(int width, int height) {
  const size_t first = std::min(first_in(top_), cursor_);
  set_size(width, height);
  row_ = rows_above(first);
  top_ = 0;
  std::string out;
  go_up_to_window(out);
  restart();
  return out + kEraseBelow;
}

}  // namespace skein::cli
