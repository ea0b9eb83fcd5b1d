#include "cli/console.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/output_place.h"
#include "cli/interrupt.h"

namespace skein::cli {
bool terminal_obeys() {
  const char* terminal = std::getenv("TERM");
  return !(terminal && std::string_view(terminal) == "dumb");
}

namespace {

constexpr size_t kPendingBytes = 64 * 1024;
constexpr int kLastWordsMs = 1000;
constexpr size_t kPiece = 4096;  // PIPE_BUF: taken at once where poll() finds room

void wait_for(int fd, short what) {
  pollfd ready = {.fd = fd, .events = what, .revents = 0};
  ::poll(&ready, 1, -1);
}

// Whether somebody takes what is written, asked before a program ends that is asked to.
bool is_taken(int fd) {
  pollfd ready = {.fd = fd, .events = POLLOUT, .revents = 0};
  const int found = ::poll(&ready, 1, kLastWordsMs);
  return found > 0 || (found < 0 && errno == EINTR);
}

// 0, or the errno of what stopped it: EINTR where the program is asked to end and the reader of a
// pipe sleeps.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const bool last = interrupt::requested();
    if (last && !is_taken(fd)) return EINTR;
    const ssize_t put =
        ::write(fd, text.data(), last ? std::min(text.size(), kPiece) : text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) {  // left like that by whoever had it before us
      wait_for(fd, POLLOUT);
      continue;
    }
    if (put < 0) return errno;
    text.remove_prefix(static_cast<size_t>(put));
  }
  return 0;
}

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value && *value;
}

bool use_color(const std::string& setting, bool terminal) {
  if (setting == "always") return true;
  if (setting == "never" || is_set("NO_COLOR")) return false;
  if (is_set("CLICOLOR_FORCE") && std::string_view(std::getenv("CLICOLOR_FORCE")) != "0")
    return true;
  return terminal && terminal_obeys();
}

std::string dress(bool color, Style style, std::string_view text) {
  if (!color || text.empty()) return std::string(text);
  const char* code = "";
  switch (style) {
    case Style::bold: code = "1"; break;
    case Style::dim: code = "2"; break;
    case Style::red: code = "31"; break;
    case Style::yellow: code = "33"; break;
    case Style::green: code = "32"; break;
    case Style::cyan: code = "36"; break;
  }
  return fmt::format("\033[{}m{}\033[0m", code, text);
}

// All that can be read from `fd`; `too_long` is the code when that is more than the limit.
Result<std::string> read_all(int fd, std::string_view name, uint64_t limit_bytes, Code too_long) {
  std::string text;
  char block[16384];
  for (;;) {
    const ssize_t got = ::read(fd, block, sizeof(block));
    if (got < 0 && errno == EINTR) {
      if (interrupt::requested()) return fail(Code::io, "interrupted");
      continue;
    }
    if (got < 0 && errno == EAGAIN) {
      if (interrupt::requested()) return fail(Code::io, "interrupted");
      wait_for(fd, POLLIN);
      continue;
    }
    if (got < 0) return fail(Code::io, "{}: {}", name, std::strerror(errno));
    if (got == 0) return text;
    text.append(block, static_cast<size_t>(got));
    if (text.size() > limit_bytes)
      return fail(too_long, "{} has more than the limit of {} bytes", name, limit_bytes);
  }
}

// UTF-16 by its mark and a character below U+0100 soon after. A text of bytes may begin like the
// mark.
bool is_utf16(std::string_view text) {
  constexpr size_t kLook = 64;
  const bool little = text.starts_with("\xFF\xFE");
  if (!little && !text.starts_with("\xFE\xFF")) return false;
  for (size_t at = 2; at + 1 < std::min(text.size(), kLook); at += 2)
    if (text[at + (little ? 1 : 0)] == 0) return true;
  return false;
}

// Editors of Windows begin a text with a mark of its encoding, which is no part of it.
Result<std::string> without_mark(std::string text, std::string_view name) {
  if (is_utf16(text)) return fail(Code::argument, "{} is text in UTF-16; save it as UTF-8", name);
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  return text;
}

}  // namespace

int exit_code(Code code) {
  switch (code) {
    case Code::argument: return kUsage;
    case Code::corrupt:
    case Code::unsupported:
    case Code::mismatch: return kBadFile;
    case Code::memory:
    case Code::device: return kNoDevice;
    case Code::network: return kNoNetwork;
    case Code::io:
    case Code::internal: return kFailed;
  }
  return kFailed;
}

Console::Console(const ConsoleOptions& options)
    : options_(options),
      stdin_terminal_(::isatty(STDIN_FILENO) == 1),
      stdout_terminal_(::isatty(STDOUT_FILENO) == 1),
      stderr_terminal_(::isatty(STDERR_FILENO) == 1) {
  stdout_color_ = !options.json && use_color(options.color, stdout_terminal_);
  stderr_color_ = use_color(options.color, stderr_terminal_);
  pending_.reserve(kPendingBytes);
}

void Console::make_room_for(const std::string& output) {
  if (output.empty() || !is_standard_output(output)) return;
  flush();
  out_ = STDERR_FILENO;
  stdout_terminal_ = stderr_terminal_;
  stdout_color_ = !options_.json && stderr_color_;
}

int Console::width() const {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

void Console::out(std::string_view text) {
  if (text.size() > kPendingBytes - pending_.size()) flush();
  if (text.size() > kPendingBytes) return write_out(text);
  pending_ += text;
  if (stdout_terminal_ && text.find('\n') != std::string::npos) flush();
}

void Console::line(std::string_view text) {
  out(text);
  out("\n");
}

void Console::flush() {
  if (pending_.empty()) return;
  write_out(pending_);
  pending_.clear();
}

void Console::write_out(std::string_view text) {
  clear_status();
  if (closed_) return;
  if (const int error = write_all(out_, text)) {
    closed_ = true;
    // A pipe without a reader: whoever read has seen enough.
    if (error != EPIPE && error != EINTR) write_error_ = error;
  }
}

void Console::write_stderr(std::string_view line) {
  flush();
  clear_status();
  // In one piece, as other programs may write there too.
  char whole[1024];
  if (line.size() < sizeof whole) {
    std::copy(line.begin(), line.end(), whole);
    whole[line.size()] = '\n';
    write_all(STDERR_FILENO, {whole, line.size() + 1});
  } else {
    write_all(STDERR_FILENO, line);
    write_all(STDERR_FILENO, "\n");
  }
}

void Console::note(std::string_view text) {
  if (!options_.quiet && !options_.json) write_stderr(text);
}

void Console::detail(std::string_view text) {
  if (options_.verbose && !options_.quiet) write_stderr(styled_stderr(Style::dim, text));
}

void Console::warn(std::string_view text) {
  if (!options_.quiet)
    write_stderr(fmt::format("{} {}", styled_stderr(Style::yellow, "warning:"), text));
}

int Console::error(const Error& error, const std::function<void(JsonWriter&)>& more) {
  // Ctrl-C is an answer and not a failure.
  if (interrupt::requested() && error.code == Code::io) {
    clear_status();
    if (!options_.json) return write_stderr("interrupted"), interrupt::exit_code();
    JsonWriter json;
    json.begin_object().key("error").begin_object();
    json.member("code", "interrupted").member("message", "interrupted");
    json.end_object();
    if (more) more(json);
    return object(json.end_object()), interrupt::exit_code();
  }
  const int code = exit_code(error.code);
  const bool hint = !suggestion_.empty() && code == kBadFile;
  if (options_.json) {
    JsonWriter json;
    json.begin_object().key("error").begin_object();
    json.member("code", code_name(error.code)).member("message", error.message);
    if (hint) json.member("try", suggestion_);
    json.end_object();
    if (more) more(json);
    object(json.end_object());
    return code;
  }
  write_stderr(fmt::format("{} {}", styled_stderr(Style::red, "error:"), error.message));
  if (hint) write_stderr(fmt::format("try: {}", suggestion_));
  return code;
}

void Console::status(std::string_view text) {
  if (!stderr_terminal_ || options_.quiet || options_.json) return;
  const auto room = static_cast<size_t>(std::max(width() - 1, 10));
  write_all(STDERR_FILENO, fmt::format("\r\033[K{}", text.substr(0, room)));
  status_shown_ = true;
}

void Console::clear_status() {
  if (!status_shown_) return;
  status_shown_ = false;
  write_all(STDERR_FILENO, "\r\033[K");
}

std::string Console::styled(Style style, std::string_view text) const {
  return dress(stdout_color_, style, text);
}

std::string Console::styled_stderr(Style style, std::string_view text) const {
  return dress(stderr_color_, style, text);
}

int Console::finish(int code) {
  flush();
  clear_status();
  if (write_error_ == 0) return code;
  write_all(STDERR_FILENO,
            fmt::format("{} standard output: {}\n", styled_stderr(Style::red, "error:"),
                        std::strerror(write_error_)));
  return code == kFine ? kFailed : code;
}

bool has_piped_input() {
  struct stat info {};
  if (::fstat(STDIN_FILENO, &info) != 0) return false;
  return S_ISFIFO(info.st_mode) ||
         (S_ISREG(info.st_mode) && ::lseek(STDIN_FILENO, 0, SEEK_CUR) == 0);
}

bool input_comes_within(int milliseconds) {
  pollfd input = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return ::poll(&input, 1, milliseconds) != 0;
}

Result<std::string> read_stdin(uint64_t limit_bytes) {
  SK_TRY(std::string text, read_all(STDIN_FILENO, "standard input", limit_bytes, Code::argument));
  return without_mark(std::move(text), "standard input");
}

Result<std::string> read_text(const std::string& file, uint64_t limit_bytes) {
  if (file == "-") return read_stdin(limit_bytes);
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(Code::io, "{}: {}", escaped(file), std::strerror(errno));
  auto text = read_all(fd, escaped(file), limit_bytes, Code::io);
  ::close(fd);
  if (!text) return text;
  return without_mark(std::move(*text), escaped(file));
}

}  // namespace skein::cli
