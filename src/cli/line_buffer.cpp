#include "cli/line_buffer.h"

#include <algorithm>
#include <utility>

#include "text/unicode.h"

namespace skein::cli {
namespace {

constexpr char32_t kWide = 0xFE0F;  // asks for the wide form of the character before it

Glyph glyph_of(std::string_view cluster) {
  Glyph glyph = {.text = std::string(cluster), .columns = 0};
  int parts = 0;
  for (std::string_view rest = cluster; !rest.empty();) {
    const text::Character one = text::first_character(rest);
    if (one.length == 0) return {"\uFFFD"};
    const int columns = text::columns_of(one.code);
    glyph.columns += columns;
    parts += columns > 0;
    if (one.code == kWide) glyph.certain = false;
    rest.remove_prefix(one.length);
  }
  glyph.certain = glyph.certain && parts <= 1;
  if (!glyph.certain) glyph.columns = std::max(glyph.columns, 2);
  // A mark that nothing stands before.
  if (glyph.columns == 0) return {"\u25CC" + glyph.text};
  return glyph;
}

bool is_control(std::string_view cluster) {
  const auto first = static_cast<unsigned char>(cluster[0]);
  const bool second =
      first == 0xC2 && cluster.size() > 1 && static_cast<unsigned char>(cluster[1]) < 0xA0;
  return first < 0x20 || first == 0x7f || second;
}

bool is_blank(std::string_view text) { return text == " " || text == "\t" || text == "\n"; }

bool is_word(std::string_view text) {
  const text::Character first = text::first_character(text);
  if (first.length == 0) return false;
  const text::CharClass found = text::char_class(first.code);
  return found == text::CharClass::letter || found == text::CharClass::number;
}

}  // namespace

std::vector<Glyph> glyphs_of(std::string_view text) {
  std::vector<Glyph> out;
  while (!text.empty()) {
    const std::string_view cluster = text.substr(0, text::first_cluster(text));
    text.remove_prefix(cluster.size());
    const auto first = static_cast<unsigned char>(cluster[0]);
    if (!is_control(cluster)) {
      out.push_back(glyph_of(cluster));
    } else if (first == '\t') {
      out.insert(out.end(), 4, Glyph{" "});
    } else if (first < 0x80) {
      out.push_back({"^"});
      out.push_back({std::string(1, static_cast<char>(first ^ 0x40))});
    } else {
      out.push_back({"\uFFFD"});
    }
  }
  return out;
}

std::string LineBuffer::text_of(size_t begin, size_t end) const {
  std::string out;
  for (size_t i = begin; i < end; ++i) out += elements_[i].text;
  return out;
}

// The neighbours at `at` may be one character now: a letter and its mark, two halves of a flag.
void LineBuffer::join_at(size_t at) {
  if (at == 0 || at >= elements_.size()) return;
  const Element& left = elements_[at - 1];
  const Element& right = elements_[at];
  if (!left.shown.empty() || !right.shown.empty()) return;
  std::string both = left.text + right.text;
  if (text::first_cluster(both) < both.size()) return;
  elements_[at - 1].text = std::move(both);
  elements_.erase(elements_.begin() + static_cast<int64_t>(at));
  if (cursor_ >= at) --cursor_;
  // Of a cursor between the two: behind what they have become.
  if (cursor_ == at - 1) cursor_ = at;
}

void LineBuffer::insert(std::string_view text) {
  std::vector<Element> made;
  while (!text.empty()) {
    const size_t length = text::first_cluster(text);
    made.push_back({std::string(text.substr(0, length)), {}});
    text.remove_prefix(length);
  }
  const size_t begin = cursor_;
  elements_.insert(elements_.begin() + static_cast<int64_t>(cursor_), made.begin(), made.end());
  cursor_ += made.size();
  join_at(cursor_);
  join_at(begin);
}

void LineBuffer::insert_paste(std::string shown, std::string text) {
  elements_.insert(elements_.begin() + static_cast<int64_t>(cursor_),
                   {std::move(text), std::move(shown)});
  ++cursor_;
}

void LineBuffer::set(std::string_view text) {
  elements_.clear();
  cursor_ = 0;
  removing_ = false;
  insert(text);
}

void LineBuffer::replace_before(size_t bytes, std::string_view text) {
  size_t begin = cursor_;
  for (size_t found = 0; begin > 0 && found < bytes;) found += elements_[--begin].text.size();
  remove(begin, cursor_);
  insert(text);
}

void LineBuffer::remove(size_t begin, size_t end) {
  elements_.erase(elements_.begin() + static_cast<int64_t>(begin),
                  elements_.begin() + static_cast<int64_t>(end));
  cursor_ = begin;
  join_at(begin);
}

void LineBuffer::cut(size_t begin, size_t end) {
  if (begin == end) return;
  if (!removing_) removed_.clear();
  removed_.insert(begin < cursor_ ? removed_.begin() : removed_.end(),
                  elements_.begin() + static_cast<int64_t>(begin),
                  elements_.begin() + static_cast<int64_t>(end));
  remove(begin, end);
  removing_ = true;
}

void LineBuffer::put_back() {
  const size_t begin = cursor_;
  elements_.insert(elements_.begin() + static_cast<int64_t>(cursor_), removed_.begin(),
                   removed_.end());
  cursor_ += removed_.size();
  join_at(cursor_);
  join_at(begin);
}

// The character before the cursor with the one on it, or at the end the last two.
void LineBuffer::exchange() {
  if (cursor_ == 0 || elements_.size() < 2) return;
  if (cursor_ == elements_.size()) --cursor_;
  std::swap(elements_[cursor_ - 1], elements_[cursor_]);
  ++cursor_;
}

// Over what is not inside, then over what is.
template <typename Inside>
size_t LineBuffer::left_of(const Inside& inside) const {
  size_t at = cursor_;
  while (at > 0 && !inside(elements_[at - 1])) --at;
  while (at > 0 && inside(elements_[at - 1])) --at;
  return at;
}

size_t LineBuffer::word_left() const {
  return left_of([](const Element& one) { return !one.shown.empty() || is_word(one.text); });
}

size_t LineBuffer::word_right() const {
  size_t at = cursor_;
  const auto inside = [&] { return !elements_[at].shown.empty() || is_word(elements_[at].text); };
  while (at < elements_.size() && !inside()) ++at;
  while (at < elements_.size() && inside()) ++at;
  return at;
}

bool LineBuffer::apply(Key key) {
  const bool went_on = std::exchange(removing_, false);
  const size_t size = elements_.size();
  const auto cut_more = [&](size_t begin, size_t end) {
    removing_ = went_on;
    cut(begin, end);
  };
  switch (key) {
    case Key::left: cursor_ -= cursor_ > 0; break;
    case Key::right: cursor_ += cursor_ < size; break;
    case Key::home: cursor_ = 0; break;
    case Key::end: cursor_ = size; break;
    case Key::word_left: cursor_ = word_left(); break;
    case Key::word_right: cursor_ = word_right(); break;
    case Key::erase_left:
      if (cursor_ > 0) remove(cursor_ - 1, cursor_);
      break;
    case Key::erase_right:
      if (cursor_ < size) remove(cursor_, cursor_ + 1);
      break;
    case Key::cut_to_end: cut_more(cursor_, size); break;
    case Key::cut_to_begin: cut_more(0, cursor_); break;
    case Key::cut_word_left: cut_more(word_left(), cursor_); break;
    case Key::cut_word_right: cut_more(cursor_, word_right()); break;
    case Key::cut_blank_left:
      cut_more(left_of([](const Element& one) { return !is_blank(one.text); }), cursor_);
      break;
    case Key::put_back: put_back(); break;
    case Key::exchange: exchange(); break;
    default: return false;
  }
  return true;
}

size_t LineBuffer::draw(std::vector<Glyph>& out) const {
  size_t at = 0;
  for (size_t i = 0; i <= elements_.size(); ++i) {
    if (i == cursor_) at = out.size();
    if (i == elements_.size()) break;
    const Element& one = elements_[i];
    const std::vector<Glyph> glyphs = glyphs_of(one.shown.empty() ? one.text : one.shown);
    out.insert(out.end(), glyphs.begin(), glyphs.end());
  }
  return at;
}

}  // namespace skein::cli
