#include "cli/line_editor.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "cli/interrupt.h"
#include "cli/line_view.h"

namespace skein::cli {
namespace {

// The rest of a paste that Ctrl-C ended has come by then.
constexpr int kPatienceMs = 1000;

int columns_of(const std::string& word) {
  int columns = 0;
  for (const Glyph& glyph : glyphs_of(word)) columns += glyph.columns;
  return columns;
}

}  // namespace

LineEditor::LineEditor(Console& console, const std::filesystem::path& history, Complete complete)
    : console_(console), history_(history), complete_(std::move(complete)) {}

LineEditor::Got LineEditor::read(const std::string& prompt, std::string& line) {
  line.clear();
  return device_.usable() ? read_edited(prompt, line) : read_plain(prompt, line);
}

void LineEditor::write(std::string_view text) {
  console_.out(text);
  console_.flush();
}

// In the terminal's own line mode.
LineEditor::Got LineEditor::read_plain(const std::string& prompt, std::string& line) {
  write(prompt);
  for (;;) {
    char byte = 0;
    const ssize_t got = ::read(STDIN_FILENO, &byte, 1);
    if (interrupt::requested()) return Got::interrupted;
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return line.empty() ? Got::end : Got::line;
    if (byte == '\n') return Got::line;
    line += byte;
  }
}

LineEditor::Got LineEditor::read_edited(const std::string& prompt, std::string& line) {
  struct Line {
    LineDevice& device;
    explicit Line(LineDevice& d) : device(d) { device.begin_line(); }
    ~Line() { device.end_line(); }
  } const begun(device_);
  LineDevice::Size size = device_.size();
  LineEdit edit(history_, complete_);
  LineView view(size.columns, size.rows);
  const auto drawn = [&] {
    std::vector<Glyph> glyphs;
    const size_t cursor = edit.draw(prompt, glyphs);
    return view.draw(std::move(glyphs), cursor);
  };
  const auto left = [&](std::string_view then) {
    std::string out = drawn() + view.leave();
    view.restart();
    write(out += then);
  };
  for (;;) {
    while (const auto press = keys_.next()) {
      switch (edit.press(*press)) {
        case LineEdit::Outcome::going_on: break;
        case LineEdit::Outcome::done: left("\n"); return line = edit.text(), Got::line;
        case LineEdit::Outcome::end: left(""); return Got::end;
        case LineEdit::Outcome::suspend:
          left("\n");
          device_.suspend();
          break;
        case LineEdit::Outcome::clear_screen:
          view.restart();
          write("\033[H\033[2J");
          break;
        case LineEdit::Outcome::choices: left("\n" + listed(edit.choices())); break;
      }
    }
    write(drawn());
    switch (device_.wait(keys_.dropping() ? kPatienceMs : -1)) {
      case LineDevice::Event::input: {
        const std::string bytes = device_.take();
        if (bytes.empty() && !interrupt::requested()) return left(""), Got::end;
        keys_.push(bytes);
        break;
      }
      case LineDevice::Event::interrupted: keys_.drop_paste(); return left(""), Got::interrupted;
      case LineDevice::Event::resized:
        size = device_.size();
        write(view.resize(size.columns, size.rows));
        break;
      case LineDevice::Event::continued:
        device_.begin_line();
        view.restart();
        write("\r\033[J");
        break;
      case LineDevice::Event::quiet: keys_.stop_dropping(); break;
      case LineDevice::Event::closed: return left(""), Got::end;
    }
    if (console_.closed()) return Got::end;
  }
}

// In columns, down and then across.
std::string LineEditor::listed(const std::vector<std::string>& words) const {
  constexpr size_t kMost = 200;
  constexpr int kGap = 2;
  const size_t count = std::min(words.size(), kMost);
  int widest = 1;
  for (size_t i = 0; i < count; ++i) widest = std::max(widest, columns_of(words[i]));
  const auto across = static_cast<size_t>(std::max(1, device_.size().columns / (widest + kGap)));
  const size_t down = (count + across - 1) / across;
  std::string out;
  for (size_t row = 0; row < down; ++row) {
    for (size_t i = row; i < count; i += down) {
      for (const Glyph& glyph : glyphs_of(words[i])) out += glyph.text;
      if (i + down < count)
        out.append(static_cast<size_t>(widest + kGap - columns_of(words[i])), ' ');
    }
    out += '\n';
  }
  if (count < words.size()) out += fmt::format("... and {} more\n", words.size() - count);
  return out;
}

}  // namespace skein::cli
