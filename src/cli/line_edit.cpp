#include "cli/line_edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "text/unicode.h"

namespace skein::cli {
namespace {

// Bytes of a paste that are edited like what was typed.
constexpr size_t kShownPaste = 1000;

bool is_plain(std::string_view text) {
  return text.size() <= kShownPaste && std::none_of(text.begin(), text.end(), [](unsigned char c) {
           return c < ' ' || c == 0x7f;
         });
}

// Escape sequences belong to the character behind them, or at the end to the one before.
std::vector<Glyph> prompt_glyphs(std::string_view prompt) {
  std::vector<Glyph> out;
  std::string escapes;
  while (!prompt.empty()) {
    const size_t end = prompt[0] == '\033' ? prompt.find('m') : std::string_view::npos;
    if (end != std::string_view::npos) {
      escapes += prompt.substr(0, end + 1);
      prompt.remove_prefix(end + 1);
      continue;
    }
    const size_t length = text::first_cluster(prompt);
    for (Glyph& glyph : glyphs_of(prompt.substr(0, length))) {
      glyph.text.insert(0, std::exchange(escapes, {}));
      out.push_back(std::move(glyph));
    }
    prompt.remove_prefix(length);
  }
  if (!out.empty()) out.back().text += escapes;
  return out;
}

}  // namespace

LineEdit::LineEdit(const LineHistory& history, const Complete& complete)
    : history_(history), complete_(complete), at_(history.lines().size()) {}

LineEdit::Outcome LineEdit::press(const KeyPress& press) {
  if (searching_ && search(press)) return Outcome::going_on;
  switch (press.key) {
    case Key::escape: break;
    case Key::text: buffer_.insert(press.text); break;
    case Key::paste: paste(press.text); break;
    case Key::enter: return Outcome::done;
    case Key::tab: return complete();
    case Key::up:
      if (at_ > 0) recall(at_ - 1);
      break;
    case Key::down:
      if (at_ < history_.lines().size()) recall(at_ + 1);
      break;
    case Key::search:
      before_search_ = buffer_;
      wanted_.clear();
      searching_ = found_ = true;
      searched_from_ = at_before_search_ = at_;
      break;
    case Key::clear_screen: return Outcome::clear_screen;
    case Key::suspend: return Outcome::suspend;
    case Key::end_of_input:
      if (buffer_.empty()) return Outcome::end;
      buffer_.apply(Key::erase_right);
      break;
    default: buffer_.apply(press.key); break;
  }
  return Outcome::going_on;
}

void LineEdit::paste(const std::string& text) {
  if (is_plain(text)) return buffer_.insert(text);
  const auto lines =
      static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + !text.ends_with('\n');
  buffer_.insert_paste(fmt::format("[paste {}: {} {}]", ++pastes_, lines > 1 ? lines : text.size(),
                                   lines > 1 ? "lines" : "bytes"),
                       text);
}

LineEdit::Outcome LineEdit::complete() {
  const std::string before = buffer_.before();
  const Choices choices = complete_ ? complete_(before) : Choices{};
  if (!choices.apply) {
    buffer_.insert("\t");
    return Outcome::going_on;
  }
  const std::string_view typed =
      std::string_view(before).substr(std::min(choices.begin, before.size()));
  std::string common;
  const Choices::Word* only = nullptr;
  listed_.clear();
  for (const Choices::Word& word : choices.words) {
    if (!word.text.starts_with(typed)) continue;
    if (listed_.empty())
      common = word.text;
    else
      common.erase(
          std::mismatch(common.begin(), common.end(), word.text.begin(), word.text.end()).first,
          common.end());
    only = listed_.empty() ? &word : nullptr;
    listed_.push_back(word.shown.empty() ? word.text : word.shown);
  }
  // Half a character is none.
  while (!common.empty() && text::first_invalid_utf8(common) != std::string_view::npos)
    common.pop_back();
  if (only) common += only->end;
  if (common.size() > typed.size()) {
    buffer_.replace_before(typed.size(), common);
    return Outcome::going_on;
  }
  return listed_.size() > 1 ? Outcome::choices : Outcome::going_on;
}

void LineEdit::recall(size_t at) {
  const std::vector<std::string>& lines = history_.lines();
  if (at_ == lines.size()) draft_ = buffer_;
  at_ = at;
  if (at == lines.size())
    buffer_ = draft_;
  else
    buffer_.set(lines[at]);
}

// Whether the key was for the search. Any other takes what was found and does its work there.
bool LineEdit::search(const KeyPress& press) {
  switch (press.key) {
    case Key::text:
      wanted_ += press.text;
      look_back(std::min(searched_from_ + 1, history_.lines().size()));
      return true;
    case Key::search: look_back(searched_from_); return true;
    case Key::erase_left:
      while (!wanted_.empty() && (wanted_.back() & 0xC0) == 0x80) wanted_.pop_back();
      if (!wanted_.empty()) wanted_.pop_back();
      look_back(history_.lines().size());
      return true;
    case Key::cancel:
      buffer_ = before_search_;
      at_ = at_before_search_;
      searching_ = false;
      return true;
    default: searching_ = false; return false;
  }
}

// The latest line before `from` that holds what is wanted.
void LineEdit::look_back(size_t from) {
  const std::vector<std::string>& lines = history_.lines();
  found_ = wanted_.empty();
  if (wanted_.empty()) return;
  while (from > 0 && !found_) found_ = lines[--from].find(wanted_) != std::string::npos;
  if (!found_) return;
  if (at_ == lines.size()) draft_ = before_search_;
  at_ = searched_from_ = from;
  buffer_.set(lines[from]);
}

size_t LineEdit::draw(std::string_view prompt, std::vector<Glyph>& out) const {
  out = searching_
            ? glyphs_of(fmt::format("({} \"{}\") ", found_ ? "searching" : "not found", wanted_))
            : prompt_glyphs(prompt);
  const size_t begin = out.size();
  std::vector<Glyph> line;
  const size_t cursor = buffer_.draw(line);
  out.insert(out.end(), std::make_move_iterator(line.begin()), std::make_move_iterator(line.end()));
  return begin + cursor;
}

}  // namespace skein::cli
