#include "cli/line_editor.h"

#include <histedit.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/file_writer.h"
#include "base/utf8.h"
#include "cli/console.h"
#include "cli/interrupt.h"
#include "text/unicode.h"

namespace skein::cli {
namespace {

constexpr int kHistoryLines = 1000;
// Brackets what takes no room in a prompt.
constexpr char kZeroWidth = '\1';

// A byte of the terminal: 1, 0 at the end, -1 when Ctrl-C asks to stop or reading fails. libedit's
// own reader goes on after the first signal.
int read_byte(char& out) {
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, &out, 1);
    if (got >= 0) return static_cast<int>(got);
    if (errno != EINTR || interrupt::requested()) return -1;
  }
}

// What a terminal sends around a paste when it was asked to (bracketed paste), and how to ask.
constexpr std::string_view kPasteBegins = "\033[200~", kPasteEnds = "\033[201~";
constexpr std::string_view kAskForMarks = "\033[?2004h", kNoMarks = "\033[?2004l";
constexpr size_t kPasteBytes = size_t{64} << 20;  // more is left out

void tell_terminal(std::string_view what) {
  if (::isatty(STDOUT_FILENO) && terminal_obeys())
    (void)!::write(STDOUT_FILENO, what.data(), what.size());
}

// Line ends as a text has them: terminals paste what Enter sends.
std::string with_newlines(std::string_view pasted) {
  std::string out;
  for (size_t i = 0; i < pasted.size(); ++i) {
    if (pasted[i] != '\r') {
      out += pasted[i];
    } else if (i + 1 == pasted.size() || pasted[i + 1] != '\n') {
      out += '\n';
    }
  }
  return out;
}

// libedit counts what stands between two marks as taking no room.
std::string mark_escapes(const std::string& prompt) {
  std::string out;
  for (size_t at = 0; at < prompt.size();) {
    const size_t end = prompt[at] == '\033' ? prompt.find('m', at) : std::string::npos;
    if (end == std::string::npos) {
      out += prompt[at++];
      continue;
    }
    out += kZeroWidth + prompt.substr(at, end + 1 - at) + kZeroWidth;
    at = end + 1;
  }
  return out;
}

}  // namespace

struct LineEditor::Editor {
  EditLine* line = nullptr;
  History* history = nullptr;
  std::string file;
  std::string prompt;
  std::vector<std::string> words;
  std::string to_type;    // what stands for keys that were read
  size_t consumed = 0;    // of it by libedit
  bool in_paste = false;  // one was interrupted, and its rest is still to come
  // Pastes with line ends or tabs, which libedit cannot show, by what stands for them in the line.
  std::vector<std::pair<std::string, std::string>> pastes;

  static Editor& of(EditLine* line) {
    void* self = nullptr;
    el_get(line, EL_CLIENTDATA, &self);
    return *static_cast<Editor*>(self);
  }
  static char* show_prompt(EditLine* line) { return of(line).prompt.data(); }
  static int read_character(EditLine* line, wchar_t* out);
  std::string completion(EditLine* line) const;
  int read_escape();
  int read_paste();
  void drop_rest_of_paste();
  std::string with_pastes(std::string_view typed) const;
  size_t broken_paste(std::string_view typed) const;
  void save();
};

// What extends the beginning of the line as far as all candidates agree.
std::string LineEditor::Editor::completion(EditLine* editor) const {
  const LineInfo* info = el_line(editor);
  const std::string_view typed(info->buffer, static_cast<size_t>(info->cursor - info->buffer));
  std::string common;
  size_t found = 0;
  for (const std::string& word : words) {
    if (typed.empty() || !word.starts_with(typed)) continue;
    if (found++ == 0) {
      common = word;
    } else {
      common.erase(std::mismatch(common.begin(), common.end(), word.begin(), word.end()).first,
                   common.end());
    }
  }
  if (found == 0) return {};
  return common.substr(typed.size()) + (found == 1 ? " " : "");
}

// Whole or not at all, and for nobody else to read. That it fails is no reason to disturb a chat.
void LineEditor::Editor::save() {
  // A file of memory and not a stream: libedit asks for a descriptor.
  const int memory = ::memfd_create("history", MFD_CLOEXEC);
  if (memory < 0) return;
  std::FILE* stream = ::fdopen(memory, "w+");
  if (!stream) return static_cast<void>(::close(memory));
  HistEvent event;
  const bool good = ::history(history, &event, H_SAVE_FP, stream) >= 0 && std::fflush(stream) == 0;
  struct stat info {};
  if (good && ::fstat(memory, &info) == 0) {
    std::string text(static_cast<size_t>(info.st_size), '\0');
    if (::pread(memory, text.data(), text.size(), 0) == info.st_size) {
      const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
      (void)write_file(file, {&bytes, 1}, {.mode = 0600});
    }
  }
  std::fclose(stream);
}

namespace {

// Until the mark at the end of a paste. `text` may be nullptr: it is thrown away.
int read_to_mark(std::string* text) {
  std::string end;  // as much of the mark as stands there
  while (end != kPasteEnds) {
    char byte = 0;
    if (const int got = read_byte(byte); got != 1) return got;
    end += byte;
    if (kPasteEnds.starts_with(end)) continue;
    const size_t back = byte == kPasteEnds[0] ? 1 : 0;  // a mark may begin here
    if (text && text->size() < kPasteBytes) text->append(end, 0, end.size() - back);
    end.erase(0, end.size() - back);
  }
  return 1;
}

}  // namespace

// A paste, which comes whole, from behind its first mark.
int LineEditor::Editor::read_paste() {
  std::string text;
  in_paste = true;
  if (const int got = read_to_mark(&text); got != 1) return got;
  in_paste = false;
  text = with_newlines(text);
  constexpr size_t kShown = 1000;  // bytes that are edited like what was typed
  const bool plain =
      text.size() <= kShown &&
      std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
  if (plain) {
    to_type = std::move(text);
    return 1;
  }
  const auto lines =
      1 + std::count(text.begin(), text.end(), '\n') - (text.ends_with('\n') ? 1 : 0);
  std::string stand_in = fmt::format("[paste {}: {} {}]", pastes.size() + 1,
                                     lines > 1 ? static_cast<size_t>(lines) : text.size(),
                                     lines > 1 ? "lines" : "bytes");
  to_type = stand_in;
  pastes.emplace_back(std::move(stand_in), std::move(text));
  return 1;
}

// Of one that Ctrl-C ended: no line of it is a message, let alone a command.
void LineEditor::Editor::drop_rest_of_paste() {
  constexpr int kPatienceMs = 1000;
  pollfd input = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  if (::poll(&input, 1, kPatienceMs) > 0) (void)read_to_mark(nullptr);
  in_paste = false;
}

// The line with what was pasted in the place of what stands for it.
std::string LineEditor::Editor::with_pastes(std::string_view typed) const {
  std::string out;
  while (!typed.empty()) {
    const auto found = std::find_if(pastes.begin(), pastes.end(), [&](const auto& paste) {
      return typed.starts_with(paste.first);
    });
    out += found == pastes.end() ? typed.substr(0, 1) : std::string_view(found->second);
    typed.remove_prefix(found == pastes.end() ? 1 : found->first.size());
  }
  return out;
}

// The number of one of which only a part stands in the line; 0: none.
size_t LineEditor::Editor::broken_paste(std::string_view typed) const {
  for (size_t i = 0; i < pastes.size(); ++i) {
    const std::string begin = fmt::format("[paste {}", i + 1);
    for (size_t at = typed.find(begin); at != std::string_view::npos;
         at = typed.find(begin, at + 1)) {
      const std::string_view rest = typed.substr(at);
      const bool other = rest.size() > begin.size() && rest[begin.size()] != ':' &&
                         rest[begin.size()] >= '0' && rest[begin.size()] <= '9';
      if (!other && !rest.starts_with(pastes[i].first)) return i + 1;
    }
  }
  return 0;
}

// What begins with an escape is a key, unless it is the mark of a paste.
int LineEditor::Editor::read_escape() {
  std::string key = "\033";
  while (kPasteBegins.starts_with(key)) {
    if (key == kPasteBegins) return read_paste();
    char byte = 0;
    if (const int got = read_byte(byte); got != 1) return got;
    if (byte == '\033') key.clear();  // an escape that nothing followed is no key
    key += byte;
  }
  while (utf8_incomplete(std::string_view(key).substr(1))) {  // Alt and a letter
    char byte = 0;
    if (const int got = read_byte(byte); got != 1) return got;
    key += byte;
  }
  to_type = std::move(key);
  return 1;
}

// Tab types the completion, or itself where there is none; here and not as a function of libedit's
// (EL_ADDFN), which leaks those.
int LineEditor::Editor::read_character(EditLine* editor, wchar_t* out) {
  Editor& self = of(editor);
  if (self.in_paste) self.drop_rest_of_paste();
  while (self.consumed == self.to_type.size()) {
    self.to_type.clear(), self.consumed = 0;
    std::string bytes(1, '\0');
    if (const int got = read_byte(bytes[0]); got != 1) return got;
    if (bytes[0] == '\033') {
      if (const int got = self.read_escape(); got != 1) return got;
      continue;  // an empty paste is nothing
    }
    if (bytes[0] == '\t') self.to_type = self.completion(editor);
    if (!self.to_type.empty()) break;
    while (utf8_incomplete(bytes)) {
      char next = 0;
      if (const int got = read_byte(next); got != 1) return got;
      bytes += next;
    }
    self.to_type = std::move(bytes);
  }
  const text::Character character =
      text::first_character(std::string_view(self.to_type).substr(self.consumed));
  *out = character.length > 0 ? static_cast<wchar_t>(character.code) : L'\uFFFD';
  self.consumed += std::max<size_t>(character.length, 1);
  return 1;
}

LineEditor::LineEditor(const std::filesystem::path& history, std::vector<std::string> words)
    : editor_(std::make_unique<Editor>()) {
  // libedit turns what is typed into bytes by the locale; ours are UTF-8 wherever we run.
  std::setlocale(LC_CTYPE, "C.UTF-8");
  Editor& e = *editor_;
  e.words = std::move(words);
  e.line = el_init("skein", stdin, stdout, stderr);
  e.history = history_init();
  if (!e.line || !e.history) return;
  HistEvent event;
  ::history(e.history, &event, H_SETSIZE, kHistoryLines);
  ::history(e.history, &event, H_SETUNIQUE, 1);
  // What is no file is neither waited for nor written over.
  struct stat info {};
  const bool there = !history.empty() && ::stat(history.c_str(), &info) == 0;
  if (!there || S_ISREG(info.st_mode)) e.file = history.string();
  if (there && !e.file.empty()) ::history(e.history, &event, H_LOAD, e.file.c_str());
  el_set(e.line, EL_CLIENTDATA, &e);
  el_set(e.line, EL_GETCFN, Editor::read_character);
  el_set(e.line, EL_PROMPT_ESC, Editor::show_prompt, kZeroWidth);
  // While an answer comes, keys wait unseen for the next line. In line mode the kernel would echo
  // them into the answer, and a Ctrl-D would reach the next line as a byte 0.
  el_set(e.line, EL_SETTY, "-x", "-icanon", "-echo", nullptr);
  el_set(e.line, EL_EDITOR, "emacs");
  el_set(e.line, EL_HIST, ::history, e.history);
  el_set(e.line, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  el_source(e.line, nullptr);
  // From now on, so that what is pasted while an answer comes has its marks, too.
  tell_terminal(kAskForMarks);
}

LineEditor::~LineEditor() {
  tell_terminal(kNoMarks);
  if (editor_->line) el_end(editor_->line);
  if (editor_->history) history_end(editor_->history);
}

LineEditor::Got LineEditor::read(const std::string& prompt, std::string& line) {
  line.clear();
  Editor& e = *editor_;
  if (!e.line) return Got::end;
  e.prompt = mark_escapes(prompt);
  e.pastes.clear();
  for (;;) {
    el_resize(e.line);
    int count = 0;
    const char* got = el_gets(e.line, &count);
    if (!got || count <= 0) return interrupt::requested() ? Got::interrupted : Got::end;
    std::string_view typed(got, static_cast<size_t>(count));
    while (typed.ends_with('\n') || typed.ends_with('\r')) typed.remove_suffix(1);
    const size_t broken = e.broken_paste(typed);
    if (broken == 0) {
      line = e.with_pastes(typed);
      return Got::line;
    }
    // The line is there again, to be mended.
    std::printf("paste %zu was changed: remove all of it, or paste it again\n", broken);
    std::fflush(stdout);
    e.to_type = typed;
    e.consumed = 0;
  }
}

void LineEditor::remember(const std::string& line) {
  Editor& e = *editor_;
  if (!e.history || line.empty() || line.find('\n') != std::string::npos) return;
  HistEvent event;
  ::history(e.history, &event, H_ENTER, line.c_str());
  if (!e.file.empty()) e.save();
}

}  // namespace skein::cli
