// A small terminal: interprets what is written to it, and shows what a person would see.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "text/unicode.h"

namespace skein::test {

class Screen {
 public:
  // `joins_emoji`: draws emoji that are made of several as one, which only some terminals do.
  Screen(int width, int height, bool joins_emoji = false)
      : width_(width), height_(height), joins_(joins_emoji) {
    rows_.resize(static_cast<size_t>(height), blank_row());
  }

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const char c = bytes[0];
      if (c == '\033' && bytes.size() > 1 && bytes[1] == '[') {
        const size_t end = bytes.find_first_not_of("0123456789;?", 2);
        obey(bytes[end], std::string(bytes.substr(2, end - 2)));
        bytes.remove_prefix(end + 1);
      } else if (c == '\r') {
        column_ = 0;
        full_ = false;
        bytes.remove_prefix(1);
      } else if (c == '\n') {
        // The kernel adds what brings it to the beginning.
        column_ = 0;
        full_ = false;
        next_row();
        bytes.remove_prefix(1);
      } else {
        const text::Character one = text::first_character(bytes);
        put(std::string(bytes.substr(0, one.length)), one.code);
        bytes.remove_prefix(one.length);
      }
    }
  }

  // As terminals do that break their rows anew.
  void resize(int width, int height) {
    std::vector<Row> rows;
    int row_of_cursor = 0, column_of_cursor = 0;
    width_ = width;
    for (size_t first = 0; first < rows_.size();) {
      size_t last = first;
      while (rows_[last].goes_on && last + 1 < rows_.size()) ++last;
      rows.push_back(blank_row());
      int column = 0;
      for (size_t r = first; r <= last; ++r) {
        const Row& old = rows_[r];
        size_t used = old.cells.size();
        const bool here = static_cast<int>(r) == row_;
        if (!old.goes_on)
          while (used > 0 && old.cells[used - 1].text == " ") --used;
        for (size_t at = 0; at <= std::max(used, here ? static_cast<size_t>(column_) : 0); ++at) {
          const bool past = at >= old.cells.size();
          const int room = past || at >= used ? 1 : std::max(old.cells[at].columns, 1);
          if (here && static_cast<int>(at) == column_) {
            const bool fits = column + room <= width;
            row_of_cursor = static_cast<int>(rows.size()) - (fits ? 1 : 0);
            column_of_cursor = fits ? column : 0;
          }
          if (at >= used || old.cells[at].padding || old.cells[at].columns == 0) {
            if (at >= used && here && static_cast<int>(at) < column_) ++column;
            continue;
          }
          if (column + room > width) {
            rows.back().goes_on = true;
            rows.push_back(blank_row());
            column = 0;
          }
          Row& row = rows.back();
          row.cells[static_cast<size_t>(column)] = old.cells[at];
          if (room == 2) row.cells[static_cast<size_t>(column) + 1] = {"", 0, false};
          column += room;
        }
      }
      first = last + 1;
    }
    if (row_of_cursor >= static_cast<int>(rows.size())) {
      rows.back().goes_on = true;
      rows.push_back(blank_row());
    }
    // The cursor is kept in sight.
    height_ = height;
    const int gone = std::max(0, row_of_cursor - height + 1);
    rows.erase(rows.begin(), rows.begin() + gone);
    rows.resize(static_cast<size_t>(height), blank_row());
    rows_ = std::move(rows);
    row_ = row_of_cursor - gone;
    column_ = column_of_cursor;
    full_ = false;
  }

  // Without blanks at the end.
  std::string row(int at) const {
    std::string out;
    for (const Cell& cell : rows_[static_cast<size_t>(at)].cells) out += cell.text;
    return out.substr(0, out.find_last_not_of(' ') + 1);
  }
  std::vector<std::string> rows() const {
    std::vector<std::string> out;
    for (int at = 0; at < height_; ++at) out.push_back(row(at));
    return out;
  }
  int cursor_row() const { return row_; }
  // The width where the row is full and the next character would begin another.
  int cursor_column() const { return full_ ? width_ : column_; }

 private:
  struct Cell {
    std::string text = " ";
    int columns = 1;
    bool padding = false;  // a wide character had no room here
  };
  struct Row {
    std::vector<Cell> cells;
    bool goes_on = false;  // in the next row: the terminal broke it
  };

  Row blank_row() const { return {std::vector<Cell>(static_cast<size_t>(width_)), false}; }
  Cell& cell(int column) {
    return rows_[static_cast<size_t>(row_)].cells[static_cast<size_t>(column)];
  }

  void next_row() {
    if (++row_ < height_) return;
    rows_.erase(rows_.begin());
    rows_.push_back(blank_row());
    row_ = height_ - 1;
  }

  void wrap() {
    rows_[static_cast<size_t>(row_)].goes_on = true;
    next_row();
    column_ = 0;
    full_ = false;
  }

  // Half of a wide character is none.
  void forget(int column) {
    if (cell(column).columns == 0 && column > 0) cell(column - 1) = {};
    if (cell(column).columns == 2 && column + 1 < width_) cell(column + 1) = {};
    cell(column) = {};
  }

  void put(const std::string& bytes, char32_t code) {
    const int columns = text::columns_of(code);
    const int last = full_ ? column_ : column_ - 1;
    if (columns == 0 || (joins_ && last >= 0 && last_code_ == 0x200D)) {
      int at = last;
      if (at > 0 && cell(at).columns == 0) --at;
      if (at >= 0) cell(at).text += bytes;
      last_code_ = code;
      return;
    }
    last_code_ = code;
    if (full_) wrap();
    if (column_ + columns > width_) {
      forget(column_);
      cell(column_).padding = true;
      wrap();
    }
    for (int i = 0; i < columns; ++i) forget(column_ + i);
    cell(column_) = {bytes, columns, false};
    if (columns == 2) cell(column_ + 1) = {"", 0, false};
    full_ = column_ + columns == width_;
    column_ = full_ ? width_ - 1 : column_ + columns;
  }

  void erase_from(int column) {
    for (int at = column; at < width_; ++at) forget(at);
    rows_[static_cast<size_t>(row_)].goes_on = false;
  }

  void obey(char what, const std::string& numbers) {
    const int count = numbers.empty() ? 1 : std::atoi(numbers.c_str());
    if (what == 'm' || what == 'h' || what == 'l') return;
    full_ = false;
    if (what == 'A') row_ = std::max(0, row_ - count);
    if (what == 'B') row_ = std::min(height_ - 1, row_ + count);
    if (what == 'K') erase_from(column_);
    if (what == 'J') {
      erase_from(column_);
      for (int at = row_ + 1; at < height_; ++at) rows_[static_cast<size_t>(at)] = blank_row();
    }
  }

  int width_, height_;
  bool joins_;
  std::vector<Row> rows_;
  int row_ = 0, column_ = 0;
  bool full_ = false;  // the last character ended the row
  char32_t last_code_ = 0;
};

}  // namespace skein::test
