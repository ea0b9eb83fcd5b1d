// A chat with a server at a terminal: the view of a chat with a model that runs here.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/message_reader.h"
#include "cli/remote_chat.h"
#include "cli/reply_view.h"

namespace skein::cli {

// An answer in seconds and tokens, as far as the server tells of them.
struct RemoteSpeed {
  double first_seconds = 0, seconds = 0;
  int64_t prompt_tokens = -1, tokens = -1;
};
std::string speed_text(const RemoteSpeed& speed);

// Asks, and shows what comes.
Result<RemoteAnswer> show_answer(
    Console& console, ShowThinking thinking,
    const std::function<Result<RemoteAnswer>(const RemoteListener&)>& ask, RemoteSpeed& speed);

// The same with a text as it is, which no line end follows but at a terminal.
Result<RemoteAnswer> show_text(
    Console& console, const std::function<Result<RemoteAnswer>(const RemoteListener&)>& ask,
    RemoteSpeed& speed);

// --json: the answer as an object.
void write_answer(Console& console, const RemoteAnswer& answer, const std::string& model,
                  const RemoteSpeed& speed);

class RemoteView {
 public:
  RemoteView(Console& console, Remote& remote, RemoteChat& chat, SamplingOptions& sampling,
             ShowThinking thinking, bool stats);

  // Until the user leaves. The exit code.
  int run();

 private:
  // A row of /help.
  struct Command {
    std::string_view name;
    std::string_view arguments;  // in brackets: it can do without
    std::string_view about;
    void (RemoteView::*act)(std::string_view arguments);
  };
  static std::span<const Command> commands();
  static std::string_view command_meant(std::string_view line);

  void handle(const std::string& message);
  void handle_command(std::string_view line);
  void answer(const std::function<Result<RemoteAnswer>(const RemoteListener&)>& ask);
  Choices choices(std::string_view before) const;
  void say(std::string_view line) { say_aside(console_, line); }
  void complain(const Error& error) { console_.error(error); }
  void report(const Status& status, std::string_view done);

  void help(std::string_view);
  void exit(std::string_view);
  void clear(std::string_view);
  void undo(std::string_view);
  void retry(std::string_view);
  void resume(std::string_view);
  void system_text(std::string_view);
  void model(std::string_view);
  void think(std::string_view);
  void set(std::string_view);
  void stats(std::string_view);
  void show(std::string_view);

  Console& console_;
  Remote& remote_;
  RemoteChat& chat_;
  SamplingOptions& sampling_;
  const ShowThinking thinking_;
  bool stats_;
  MessageReader reader_;
  bool leaving_ = false;
  std::optional<RemoteSpeed> last_;
};

}  // namespace skein::cli
