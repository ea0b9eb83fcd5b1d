#include "cli/line_editor.h"

#include <histedit.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <cstdio>

#include "base/file.h"
#include "base/file_writer.h"
#include "base/utf8.h"
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
  std::string to_type;  // what Tab completed and libedit has not read yet

  static Editor& of(EditLine* line) {
    void* self = nullptr;
    el_get(line, EL_CLIENTDATA, &self);
    return *static_cast<Editor*>(self);
  }
  static char* show_prompt(EditLine* line) { return of(line).prompt.data(); }
  static int read_character(EditLine* line, wchar_t* out);
  std::string completion(EditLine* line) const;
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

// Tab types the completion, or itself where there is none; here and not as a function of libedit's
// (EL_ADDFN), which leaks those.
int LineEditor::Editor::read_character(EditLine* editor, wchar_t* out) {
  Editor& self = of(editor);
  std::string bytes(1, '\0');
  if (self.to_type.empty()) {
    if (const int got = read_byte(bytes[0]); got != 1) return got;
    if (bytes[0] == '\t') self.to_type = self.completion(editor);
  }
  if (!self.to_type.empty()) {
    *out = static_cast<unsigned char>(self.to_type[0]);  // commands are ASCII
    self.to_type.erase(0, 1);
    return 1;
  }
  while (utf8_incomplete(bytes)) {
    char next = 0;
    if (const int got = read_byte(next); got != 1) return got;
    bytes += next;
  }
  const text::Character character = text::first_character(bytes);
  *out = character.length > 0 ? static_cast<wchar_t>(character.code) : L'\uFFFD';
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
}

LineEditor::~LineEditor() {
  if (editor_->line) el_end(editor_->line);
  if (editor_->history) history_end(editor_->history);
}

LineEditor::Got LineEditor::read(const std::string& prompt, std::string& line) {
  line.clear();
  Editor& e = *editor_;
  if (!e.line) return Got::end;
  e.prompt = mark_escapes(prompt);
  el_resize(e.line);
  int count = 0;
  const char* got = el_gets(e.line, &count);
  if (!got || count <= 0) return interrupt::requested() ? Got::interrupted : Got::end;
  line.assign(got, static_cast<size_t>(count));
  while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
  return Got::line;
}

void LineEditor::remember(const std::string& line) {
  Editor& e = *editor_;
  if (!e.history || line.empty()) return;
  HistEvent event;
  ::history(e.history, &event, H_ENTER, line.c_str());
  if (!e.file.empty()) e.save();
}

}  // namespace skein::cli
