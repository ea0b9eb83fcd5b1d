#include "cli/line_keys.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/utf8.h"
#include "text/unicode.h"

namespace skein::cli {
namespace {

constexpr std::string_view kPasteEnds = "\033[201~";
constexpr size_t kPasteBytes = size_t{64} << 20;  // more is left out
constexpr size_t kLongestSequence = 32;           // of a key; what is longer is noise

// Line ends as a text has them: terminals paste what Enter sends.
std::string with_newlines(std::string_view pasted) {
  std::string out;
  out.reserve(pasted.size());
  for (size_t i = 0; i < pasted.size(); ++i) {
    if (pasted[i] != '\r') {
      out += pasted[i];
    } else if (i + 1 == pasted.size() || pasted[i + 1] != '\n') {
      out += '\n';
    }
  }
  return out;
}

struct Row {
  std::string_view bytes;
  Key key;
};

constexpr Row kControls[] = {
    {"\x01", Key::home},         {"\x02", Key::left},
    {"\x04", Key::end_of_input}, {"\x05", Key::end},
    {"\x06", Key::right},        {"\x07", Key::cancel},
    {"\x08", Key::erase_left},   {"\t", Key::tab},
    {"\n", Key::enter},          {"\x0b", Key::cut_to_end},
    {"\x0c", Key::clear_screen}, {"\r", Key::enter},
    {"\x0e", Key::down},         {"\x10", Key::up},
    {"\x12", Key::search},       {"\x14", Key::exchange},
    {"\x15", Key::cut_to_begin}, {"\x17", Key::cut_blank_left},
    {"\x19", Key::put_back},     {"\x1a", Key::suspend},
    {"\x7f", Key::erase_left},
};

// Behind an escape.
constexpr Row kAlts[] = {
    {"b", Key::word_left},        {"B", Key::word_left},        {"f", Key::word_right},
    {"F", Key::word_right},       {"d", Key::cut_word_right},   {"D", Key::cut_word_right},
    {"\x7f", Key::cut_word_left}, {"\x08", Key::cut_word_left},
};

// Behind "\033[" or "\033O", without the parameters after the first.
constexpr Row kSequences[] = {
    {"A", Key::up},       {"B", Key::down}, {"C", Key::right}, {"D", Key::left},
    {"H", Key::home},     {"F", Key::end},  {"1~", Key::home}, {"7~", Key::home},
    {"4~", Key::end},     {"8~", Key::end}, {"M", Key::enter}, {"3~", Key::erase_right},
    {"200~", Key::paste},
};

const Row* find(std::span<const Row> rows, std::string_view bytes) {
  for (const Row& row : rows)
    if (row.bytes == bytes) return &row;
  return nullptr;
}

}  // namespace

void KeyReader::push(std::string_view bytes) {
  bytes_.erase(0, at_);
  at_ = 0;
  bytes_ += bytes;
}

std::optional<KeyPress> KeyReader::next() {
  while (at_ < bytes_.size()) {
    KeyPress press;
    switch (in_paste_ ? read_paste(press) : read(press)) {
      case Step::more: return std::nullopt;
      case Step::nothing: break;
      case Step::key: return press;
    }
  }
  return std::nullopt;
}

KeyReader::Step KeyReader::read(KeyPress& press) {
  const auto first = static_cast<unsigned char>(bytes_[at_]);
  if (first == 0x1b) return read_escape(press);
  if (first >= 0x20 && first != 0x7f) return read_character(at_, press);
  const Row* row = find(kControls, rest().substr(0, 1));
  ++at_;
  if (!row) return Step::nothing;
  press.key = row->key;
  return Step::key;
}

KeyReader::Step KeyReader::read_character(size_t begin, KeyPress& press) {
  const std::string_view bytes = std::string_view(bytes_).substr(begin);
  if (utf8_incomplete(bytes)) return Step::more;
  const size_t length = utf8_length(bytes);
  press.text = length > 0 ? bytes.substr(0, length) : "\uFFFD";
  at_ = begin + std::max<size_t>(length, 1);
  return Step::key;
}

// An escape and what follows is one key. One that an escape follows is none.
KeyReader::Step KeyReader::read_escape(KeyPress& press) {
  const size_t behind = at_ + 1;
  if (behind == bytes_.size()) {
    if (!std::exchange(alone_, false)) return Step::more;
    at_ = behind;
    press.key = Key::escape;
    return Step::key;
  }
  const char c = bytes_[behind];
  if (c == '\033') {
    ++at_;
    return Step::nothing;
  }
  if (c == '[' || c == 'O') return read_control_sequence(behind + 1, press);
  const Row* row = find(kAlts, std::string_view(bytes_).substr(behind, 1));
  if (!row) {  // Alt and a letter without a meaning
    const Step step = read_character(behind, press);
    return step == Step::key ? Step::nothing : step;
  }
  at_ = behind + 1;
  press.key = row->key;
  return Step::key;
}

KeyReader::Step KeyReader::read_control_sequence(size_t begin, KeyPress& press) {
  size_t end = begin;
  // The function keys of Linux' console have a second bracket.
  if (end < bytes_.size() && bytes_[end] == '[') ++end;
  while (end < bytes_.size() && bytes_[end] >= 0x20 && bytes_[end] < 0x40) ++end;
  if (end - begin > kLongestSequence) {
    at_ = end;
    return Step::nothing;
  }
  if (end == bytes_.size()) return Step::more;
  if (static_cast<unsigned char>(bytes_[end]) < 0x20) {  // broken off
    at_ = end;
    return Step::nothing;
  }
  std::string whole = bytes_.substr(begin, end + 1 - begin);
  at_ = end + 1;
  // "1;5C": an arrow with Ctrl or Alt goes by words.
  const size_t semicolon = whole.find(';');
  const bool modified = semicolon != std::string::npos;
  if (modified) {
    const char last = whole.back();
    whole = last == '~' ? whole.substr(0, semicolon) : std::string();
    whole += last;
  }
  const Row* row = find(kSequences, whole);
  if (!row) return Step::nothing;
  press.key = row->key;
  if (modified && press.key == Key::left) press.key = Key::word_left;
  if (modified && press.key == Key::right) press.key = Key::word_right;
  if (press.key != Key::paste) return Step::key;
  in_paste_ = true;
  paste_.clear();
  return Step::nothing;
}

KeyReader::Step KeyReader::read_paste(KeyPress& press) {
  const size_t end = bytes_.find(kPasteEnds, at_);
  const bool whole = end != std::string::npos;
  // Of what may be the beginning of the mark, more has to be seen.
  const size_t kept = std::min(rest().size(), kPasteEnds.size() - 1);
  const size_t until = whole ? end : bytes_.size() - kept;
  if (!dropping_ && paste_.size() < kPasteBytes)
    paste_.append(bytes_, at_, std::min(until - at_, kPasteBytes - paste_.size()));
  at_ = whole ? end + kPasteEnds.size() : until;
  if (!whole) return Step::more;
  const bool dropped = dropping_;
  stop_dropping();
  if (dropped || paste_.empty()) return Step::nothing;
  press.key = Key::paste;
  press.text = with_newlines(paste_);
  paste_ = {};
  return Step::key;
}

}  // namespace skein::cli
