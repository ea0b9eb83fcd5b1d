// A chat at a terminal: lines in, answers out, commands that begin with a slash.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cli/console.h"
#include "cli/line_editor.h"
#include "cli/reply_view.h"
#include "cli/sampling_options.h"
#include "cli/speed.h"
#include "run/chat.h"

namespace skein::cli {

struct ChatViewOptions {
  ShowThinking thinking = ShowThinking::automatic;
  bool stats = false;  // a line of speed after each answer
  const text::Profile* sampling_profile =
      nullptr;  // whose sampling values stand behind the set ones
};

class ChatView {
 public:
  ChatView(Console& console, Model& model, Chat& chat, SamplingOptions& sampling,
           const ChatViewOptions& options);

  // Until the user leaves. The exit code.
  int run();

 private:
  struct Command;
  static std::span<const Command> commands();
  static std::vector<std::string> command_names();

  void hello();
  bool read_message(std::string& message, bool& leave);
  void handle(const std::string& message);
  void handle_command(std::string_view line);
  template <typename Ask>
  void answer(const Ask& ask);
  void say(std::string_view line);
  void complain(const Error& error);
  void report(const Status& status, std::string_view done);

  void help(std::string_view);
  void exit(std::string_view);
  void clear(std::string_view);
  void undo(std::string_view);
  void retry(std::string_view);
  void alternative(std::string_view);
  void resume(std::string_view);
  void fork(std::string_view);
  void switch_to(std::string_view);
  void tree(std::string_view);
  void save(std::string_view);
  void load(std::string_view);
  void system_text(std::string_view);
  void think(std::string_view);
  void set(std::string_view);
  void stats(std::string_view);
  void show(std::string_view);
  void show_parameters();
  void show_state();

  Console& console_;
  Model& model_;
  Chat& chat_;
  SamplingOptions& sampling_;
  ChatViewOptions options_;
  LineEditor editor_;
  bool leaving_ = false;
  std::optional<Speed> last_;
};

}  // namespace skein::cli
