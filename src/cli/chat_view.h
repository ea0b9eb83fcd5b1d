// A chat at a terminal: lines in, answers out, commands that begin with a slash.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/console.h"
#include "cli/constraint_options.h"
#include "cli/message_reader.h"
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

// As a shell has it: ~/x below the home folder.
std::string with_home(std::string_view path);

class ChatView {
 public:
  ChatView(Console& console, Model& model, Chat& chat, SamplingOptions& sampling,
           ConstraintOptions& constraint, const ChatViewOptions& options);

  // Until the user leaves. The exit code.
  int run();

  using Words = std::vector<Choices::Word>;

 private:
  // A row of /help: what is typed, what it does, and what Tab offers behind it.
  struct Command {
    std::string_view name;
    std::string_view arguments;  // in brackets: it can do without
    std::string_view about;
    void (ChatView::*act)(std::string_view arguments);
    Words (ChatView::*words)(std::string_view typed) const = nullptr;
  };
  static std::span<const Command> commands();
  static std::string_view command_meant(std::string_view line);

  void hello();
  void handle(const std::string& message);
  void handle_command(std::string_view line);
  // `kept_as`: the branch that keeps the answer of before, once there is another.
  void answer(const std::function<Result<Reply>(const ChatListener&)>& ask,
              const std::string& kept_as = {});
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
  Status hold(ConstraintOptions changed);
  void stats(std::string_view);
  void show(std::string_view);
  std::vector<std::pair<std::string, std::string>> parameters() const;
  void show_parameters();
  void show_state();
  void tell_speed(bool all);

  Choices choices(std::string_view before) const;
  Words branch_words(std::string_view typed) const;
  Words file_words(std::string_view typed) const;
  Words think_words(std::string_view typed) const;
  Words setting_words(std::string_view typed) const;
  Words stats_words(std::string_view typed) const;
  Words show_words(std::string_view typed) const;

  Console& console_;
  Model& model_;
  Chat& chat_;
  SamplingOptions& sampling_;
  ConstraintOptions& constraint_;
  ChatViewOptions options_;
  MessageReader reader_;
  bool leaving_ = false;
  std::optional<Speed> last_;
};

}  // namespace skein::cli
