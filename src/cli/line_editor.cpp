#include "cli/line_editor.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "cli/interrupt.h"
#include "cli/line_view.h"

namespace skein::cli {
namespace {

// The rest of a paste that Ctrl-C ended has come by then.
constexpr int kPatienceMs = 1000;
// What a key sends after its escape has come by then.
constexpr int kEscapeMs = 100;

int columns_of(const std::string& word) {
  int columns = 0;
  for (const Glyph& glyph : glyphs_of(word)) columns += glyph.columns;
  return columns;
}

// In columns, down and then across.
std::string listed(const std::vector<std::string>& words, int width) {
  constexpr size_t kMost = 200;
  constexpr int kGap = 2;
  const size_t count = std::min(words.size(), kMost);
  int widest = 1;
  for (size_t i = 0; i < count; ++i) widest = std::max(widest, columns_of(words[i]));
  const auto across = static_cast<size_t>(std::max(1, width / (widest + kGap)));
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

}  // namespace

// One line from its prompt to its end.
class LineEditor::Reading {
 public:
  Reading(LineEditor& editor, const std::string& prompt)
      : console_(editor.console_),
        device_(editor.device_),
        keys_(editor.keys_),
        prompt_(prompt),
        edit_(editor.history_, editor.complete_),
        view_(device_.size().columns, device_.size().rows) {
    device_.begin_line();
  }
  ~Reading() { device_.end_line(); }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  Got run() {
    for (;;) {
      if (const auto got = take_keys()) return *got;
      write(drawn());
      const int ms = keys_.dropping() ? kPatienceMs : keys_.undecided() ? kEscapeMs : -1;
      if (const auto got = take(device_.wait(ms))) return *got;
      if (console_.closed()) return Got::end;
    }
  }
  std::string text() const { return edit_.text(); }

 private:
  // Those that are there. What the line has come to, if to an end.
  std::optional<Got> take_keys() {
    while (const auto press = keys_.next()) {
      switch (edit_.press(*press)) {
        case LineEdit::Outcome::going_on: break;
        case LineEdit::Outcome::done: return leave("\n"), Got::line;
        case LineEdit::Outcome::end: return leave(""), Got::end;
        case LineEdit::Outcome::suspend:
          leave("\n");
          device_.suspend();
          break;
        case LineEdit::Outcome::clear_screen:
          view_.restart();
          write("\033[H\033[2J");
          break;
        case LineEdit::Outcome::choices:
          leave("\n" + listed(edit_.choices(), device_.size().columns));
          break;
      }
    }
    return std::nullopt;
  }

  std::optional<Got> take(LineDevice::Event event) {
    switch (event) {
      case LineDevice::Event::input: {
        const std::string bytes = device_.take();
        if (bytes.empty() && !interrupt::requested()) return leave(""), Got::end;
        keys_.push(bytes);
        break;
      }
      case LineDevice::Event::interrupted: keys_.drop_paste(); return leave(""), Got::interrupted;
      case LineDevice::Event::resized:
        write(view_.resize(device_.size().columns, device_.size().rows));
        break;
      case LineDevice::Event::continued:  // by somebody who did not stop it by a key
        device_.begin_line();
        view_.restart();
        write("\r\033[J");
        break;
      case LineDevice::Event::quiet:
        if (keys_.dropping())
          keys_.stop_dropping();
        else
          keys_.settle();
        break;
      case LineDevice::Event::closed: return leave(""), Got::end;
    }
    return std::nullopt;
  }

  std::string drawn() {
    std::vector<Glyph> glyphs;
    const size_t cursor = edit_.draw(prompt_, glyphs);
    return view_.draw(std::move(glyphs), cursor);
  }

  // Shows all of the line, and this behind it.
  void leave(std::string_view then) {
    const std::string out = drawn();
    write(out + view_.leave() + std::string(then));
    view_.restart();
  }

  void write(std::string_view text) {
    console_.out(text);
    console_.flush();
  }

  Console& console_;
  LineDevice& device_;
  KeyReader& keys_;
  const std::string& prompt_;
  LineEdit edit_;
  LineView view_;
};

LineEditor::LineEditor(Console& console, const std::filesystem::path& history, Complete complete)
    : console_(console), history_(history), complete_(std::move(complete)) {}

LineEditor::Got LineEditor::read(const std::string& prompt, std::string& line) {
  line.clear();
  if (!device_.usable()) return read_plain(prompt, line);
  Reading reading(*this, prompt);
  const Got got = reading.run();
  if (got == Got::line) line = reading.text();
  return got;
}

// In the terminal's own line mode.
LineEditor::Got LineEditor::read_plain(const std::string& prompt, std::string& line) {
  console_.out(prompt);
  console_.flush();
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

}  // namespace skein::cli
