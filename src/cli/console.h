// What the user sees: text on stdout; progress, statistics and warnings on stderr; colour only
// where somebody looks; one exit code for each kind of failure.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace skein::cli {

// Exit codes.
inline constexpr int kFine = 0;
inline constexpr int kFailed = 1;    // io, internal
inline constexpr int kUsage = 2;     // argument
inline constexpr int kBadFile = 3;   // corrupt, unsupported, mismatch
inline constexpr int kNoDevice = 4;  // device, memory
inline constexpr int kNoNetwork = 5;
// After a signal 128 and its number: interrupt::exit_code().

int exit_code(Code code);

enum class Style { bold, dim, red, yellow, green, cyan };

struct ConsoleOptions {
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  std::string color = "auto";  // auto, always, never
};

// For the main thread only.
class Console {
 public:
  explicit Console(const ConsoleOptions& options);
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  bool json() const { return options_.json; }
  bool quiet() const { return options_.quiet; }
  bool verbose() const { return options_.verbose; }

  // To be called with the name of a file that will be written, before anything is printed. Where it
  // leads to standard output, out() and line() print to standard error instead: a file that
  // somebody else reads has nothing between its bytes.
  void make_room_for(const std::string& output);

  bool stdin_is_terminal() const { return stdin_terminal_; }
  bool stdout_is_terminal() const { return stdout_terminal_; }
  bool stderr_is_terminal() const { return stderr_terminal_; }
  // In characters, for wrapping and bars; 80 where there is no terminal.
  int width() const;

  // stdout. Kept back until flush(), a terminal's at line ends too. A reader that has gone away is
  // no failure: what is written then is dropped, and closed() turns true so that work can stop.
  // They take no memory, so that what is said of a file that has been written can always be said:
  // make the text first, then write the file.
  void out(std::string_view text);
  void line(std::string_view text);
  void flush();
  bool closed() const { return closed_; }

  // --json: the one object.
  void object(const JsonWriter& json) { line(json.text()); }

  // stderr, a line each. note() takes no memory.
  void note(std::string_view text);    // statistics; not with -q or --json
  void detail(std::string_view text);  // with -v only
  void warn(std::string_view text);    // "warning: ..."; not with -q
  // "error: ..." or, with --json, {"error":{"code","message"}} on stdout, in whose object `more`
  // may tell what was done before. Returns the exit code.
  int error(const Error& error, const std::function<void(JsonWriter&)>& more = {});
  // What to say after an error about a file: "skein inspect FILE".
  void suggest(std::string command) { suggestion_ = std::move(command); }

  // A line on a terminal's stderr that the next one replaces and any other output removes. Nothing
  // where stderr is no terminal.
  void status(std::string_view text);
  void clear_status();

  // `text` in that style where colour is on for the stream, else as it is.
  std::string styled(Style style, std::string_view text) const;         // for stdout
  std::string styled_stderr(Style style, std::string_view text) const;  // for stderr

  // To be called last: flushes. The exit code: `code`, or kFailed when stdout could not take it
  // all.
  int finish(int code);

 private:
  void write_out(std::string_view text);
  // A line; takes no memory either.
  void write_stderr(std::string_view line);

  ConsoleOptions options_;
  int out_ = 1;  // where out() writes
  bool stdin_terminal_ = false;
  bool stdout_terminal_ = false;
  bool stderr_terminal_ = false;
  bool stdout_color_ = false;
  bool stderr_color_ = false;
  bool closed_ = false;
  int write_error_ = 0;
  bool status_shown_ = false;
  std::string pending_;
  std::string suggestion_;
};

// Reads all of standard input, up to `limit_bytes`, without a mark of UTF-8 at its beginning.
// Error: io, argument (more than that, or UTF-16).
// Whether the terminal, where there is one, does what escape sequences ask: all but TERM=dumb.
bool terminal_obeys();

// Whether standard input is a pipe, or a file from its beginning on, which somebody means to be
// read: of a file that others have begun to read the rest is theirs.
bool has_piped_input();
// Whether there is something to read, or the end of it.
bool input_comes_within(int milliseconds);
Result<std::string> read_stdin(uint64_t limit_bytes);
// The same for the file of an option: a regular file, a pipe or a device; "-" is standard input.
// Error: io, for a file that is too long as well.
Result<std::string> read_text(const std::string& file, uint64_t limit_bytes);

}  // namespace skein::cli
