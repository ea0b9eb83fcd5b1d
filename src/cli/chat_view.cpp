#include "cli/chat_view.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "cli/folders.h"
#include "cli/interrupt.h"
#include "cli/suggest.h"
#include "run/saved_state.h"

namespace skein::cli {
namespace {

constexpr std::string_view kBlockMark = "\"\"\"";

std::filesystem::path history_file() {
  const auto folder = state_folder();
  return make_folder(folder) ? folder / "history" : std::filesystem::path();
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

// The first line, shortened, without what a terminal would obey.
std::string one_line(std::string_view text, size_t limit) {
  text = text.substr(0, text.find('\n'));
  return escaped(text, limit);
}

Status set_draft(int64_t& draft, std::string_view text) {
  int64_t value = 0;
  SK_TRY_STATUS(convert(text, value));
  if (value < 0 || value > Lookahead::kMostGuesses)
    return fail(Code::argument, "{} has to be 0 to {}", value, Lookahead::kMostGuesses);
  draft = value;
  return {};
}

const char* plural(size_t count) { return count == 1 ? "" : "s"; }

}  // namespace

struct ChatView::Command {
  std::string_view name;
  std::string_view arguments;
  std::string_view about;
  void (ChatView::*act)(std::string_view arguments);
};

std::span<const ChatView::Command> ChatView::commands() {
  static constexpr Command kCommands[] = {
      {"/help", "", "this list", &ChatView::help},
      {"/exit", "", "leave, like Ctrl-D", &ChatView::exit},
      {"/clear", "", "begin anew", &ChatView::clear},
      {"/undo", "[N]", "take back the last turn, or the last N", &ChatView::undo},
      {"/retry", "", "answer the last turn once more, instead (++)", &ChatView::retry},
      {"/alt", "", "another answer; the old one stays as a branch (+)", &ChatView::alternative},
      {"/continue", "", "go on with an answer that was cut short (+++)", &ChatView::resume},
      {"/fork", "NAME", "a branch from here", &ChatView::fork},
      {"/switch", "NAME", "go to a branch", &ChatView::switch_to},
      {"/tree", "", "all branches and turns", &ChatView::tree},
      {"/save", "FILE", "save the state the conversation is in", &ChatView::save},
      {"/load", "FILE", "go on from a saved or tuned state", &ChatView::load},
      {"/system", "[TEXT]", "begin anew with a system text, or show it", &ChatView::system_text},
      {"/think", "[MODE]", "none, fake, free, bit, think, lot or zh", &ChatView::think},
      {"/set", "KEY=VALUE", "change a setting; /show params lists them", &ChatView::set},
      {"/stats", "[on|off]", "the last answer's speed, or after each answer", &ChatView::stats},
      {"/show", "WHAT", "params, prompt or state", &ChatView::show},
  };
  return kCommands;
}

std::vector<std::string> ChatView::command_names() {
  std::vector<std::string> names;
  for (const Command& command : commands()) names.emplace_back(command.name);
  return names;
}

ChatView::ChatView(Console& console, Model& model, Chat& chat, SamplingOptions& sampling,
                   const ChatViewOptions& options)
    : console_(console),
      model_(model),
      chat_(chat),
      sampling_(sampling),
      options_(options),
      editor_(console, history_file(), {}) {}

void ChatView::say(std::string_view line) {
  if (console_.quiet()) return;
  const std::string wrapped =
      takes_back(console_) ? WordWrap(console_.width()).next(line) : std::string(line);
  console_.line(console_.styled(Style::dim, wrapped));
}

void ChatView::complain(const Error& error) { console_.error(error); }

void ChatView::report(const Status& status, std::string_view done) {
  if (status) {
    say(done);
  } else {
    complain(status.error());
  }
}

int ChatView::run() {
  const interrupt::Scope scope;
  hello();
  std::string message;
  while (!leaving_ && !console_.closed() && !interrupt::leaving()) {
    bool leave = false;
    if (read_message(message, leave)) handle(message);
    leaving_ = leaving_ || leave;
  }
  return interrupt::leaving() ? interrupt::exit_code() : kFine;
}

void ChatView::hello() {
  const ModelInfo& info = model_.info();
  say(fmt::format("{}, {}. /help lists the commands, Ctrl-C stops an answer, Ctrl-D leaves.",
                  info.title, info.device));
}

// A line, or the lines between two """. False: there is nothing to handle.
bool ChatView::read_message(std::string& message, bool& leave) {
  const std::string name = chat_.branch() == "main" ? "" : escaped(chat_.branch()) + " ";
  std::string prompt = console_.styled(Style::cyan, name + ">") + " ";
  message.clear();
  bool block = false;
  for (;;) {
    console_.flush();
    std::string line;
    switch (editor_.read(prompt, line)) {
      case LineEditor::Got::end:
        console_.line("");
        leave = true;
        return false;
      case LineEditor::Got::interrupted:
        interrupt::clear();
        console_.line("");
        if (interrupt::leaving()) return false;
        if (!block) say("Ctrl-C once more leaves, and so do Ctrl-D and /exit");
        return false;
      case LineEditor::Got::line: break;
    }
    editor_.remember(line);
    std::string_view rest = line;
    // A text that was pasted is whole, with marks of its own and the indentation of its first line.
    const bool pasted = rest.find('\n') != std::string_view::npos;
    if (!block) {
      rest = trimmed(rest);
      if (pasted || !rest.starts_with(kBlockMark)) {
        message = pasted ? line.substr(0, line.find_last_not_of(" \t\r\n") + 1) : rest;
        return !message.empty();
      }
      rest.remove_prefix(kBlockMark.size());
      block = true;
      prompt = console_.styled(Style::cyan, "...") + " ";
    }
    const size_t end = pasted ? std::string_view::npos : rest.find(kBlockMark);
    message += rest.substr(0, end);
    if (end != std::string_view::npos) return !message.empty();
    message += '\n';
  }
}

void ChatView::handle(const std::string& message) {
  if (message == "+") return alternative({});
  if (message == "++") return retry({});
  if (message == "+++") return resume({});
  if (message[0] == '/' && message.find('\n') == std::string::npos) return handle_command(message);
  answer([&](const ChatListener& listener) { return chat_.say(message, listener); });
}

void ChatView::handle_command(std::string_view line) {
  const size_t end = std::min(line.find_first_of(" \t"), line.size());
  std::string_view name = line.substr(0, end);
  if (name == "/bye" || name == "/quit") name = "/exit";
  for (const Command& command : commands()) {
    if (command.name != name) continue;
    const std::string_view arguments = trimmed(line.substr(end));
    const bool wants = !command.arguments.empty() && command.arguments[0] != '[';
    if (wants && arguments.empty())
      return complain(
          {Code::argument, fmt::format("{} needs {}: {}", name, command.arguments, command.about)});
    return (this->*command.act)(arguments);
  }
  complain({Code::argument, fmt::format("there is no {}{}", escaped(name, 40),
                                        did_you_mean(name, command_names()))});
}

template <typename Ask>
void ChatView::answer(const Ask& ask) {
  auto sampling = sampling_.sampling(*options_.sampling_profile, chat_.settings().think);
  if (!sampling) return complain(sampling.error());
  chat_.settings().sampling = *sampling;
  interrupt::clear();
  ReplyView view(console_, options_.thinking);
  const auto reply = ask(view.listener());
  view.finish();
  interrupt::clear();
  if (!reply) return complain(reply.error());
  if (!reply->kept) return say("stopped while reading; nothing was added to the conversation");
  if (reply->finish == Finish::interrupted)
    say("stopped; /continue goes on");
  else if (reply->finish == Finish::length)
    say("that was the limit; /continue goes on");
  last_ = speed_of(*reply);
  if (options_.stats) say(speed_line(*last_, model_));
}

void ChatView::help(std::string_view) {
  for (const Command& command : commands())
    console_.line(fmt::format("  {:<22} {}", fmt::format("{} {}", command.name, command.arguments),
                              command.about));
  console_.line("  \"\"\"                    begins and ends a message of several lines");
}

void ChatView::exit(std::string_view) { leaving_ = true; }

void ChatView::clear(std::string_view) { report(chat_.clear(), "a new conversation"); }

void ChatView::undo(std::string_view arguments) {
  uint64_t count = 1;
  if (!arguments.empty())
    if (auto status = convert(arguments, count); !status) return complain(status.error());
  const auto start = std::chrono::steady_clock::now();
  auto status = chat_.undo(count);
  const auto end = std::chrono::steady_clock::now();
  report(status, fmt::format("took back {} turn{} in {:.2f} ms, {} left", count, plural(count),
                             std::chrono::duration<double, std::milli>(end - start).count(),
                             chat_.turns()));
}

void ChatView::retry(std::string_view) {
  answer([&](const ChatListener& listener) { return chat_.retry(listener); });
}

void ChatView::alternative(std::string_view) {
  std::string kept_as;
  answer([&](const ChatListener& listener) { return chat_.alternative(listener, &kept_as); });
  if (!kept_as.empty()) say(fmt::format("the other answer stays as branch {}", escaped(kept_as)));
}

void ChatView::resume(std::string_view) {
  answer([&](const ChatListener& listener) { return chat_.resume(listener); });
}

void ChatView::fork(std::string_view arguments) {
  report(chat_.fork(std::string(arguments)),
         fmt::format("this is branch {} now", escaped(arguments)));
}

void ChatView::switch_to(std::string_view arguments) {
  const auto status = chat_.switch_to(std::string(arguments));
  if (!status) {
    complain(
        {status.error().code, status.error().message + did_you_mean(arguments, chat_.branches())});
    return;
  }
  say(fmt::format("branch {}, {} turn{}", escaped(arguments), chat_.turns(),
                  plural(chat_.turns())));
}

void ChatView::tree(std::string_view) {
  for (const Chat::TreeLine& line : chat_.tree()) {
    std::string branches;
    for (const std::string& name : line.branches) branches += " [" + escaped(name) + "]";
    const std::string text = line.user.empty()
                                 ? "(beginning)"
                                 : one_line(line.user, 32) + console_.styled(Style::dim, " -> ") +
                                       one_line(line.answer, 32);
    console_.line(fmt::format("{:{}}{} {}{}", "", 2 * line.depth,
                              line.current ? console_.styled(Style::cyan, "*") : " ", text,
                              console_.styled(Style::green, branches)));
  }
}

namespace {

// As a shell has it: ~/x below the home folder.
std::string with_home(std::string_view path) {
  const char* home = std::getenv("HOME");
  return path.starts_with("~/") && home && *home ? home + std::string(path.substr(1))
                                                 : std::string(path);
}

// A state may be replaced by a newer one, and nothing else of the user's.
bool holds_something_else(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored) ||
      std::filesystem::file_size(path, ignored) == 0)
    return false;
  const auto file = File::map(path);
  return file && !is_saved_state(file->bytes());
}

}  // namespace

void ChatView::save(std::string_view arguments) {
  const std::string path = with_home(arguments);
  if (holds_something_else(path))
    return complain({Code::argument, fmt::format("{} is no state and would be lost; choose another "
                                                 "name, or remove it first",
                                                 escaped(path))});
  report(chat_.save(path), fmt::format("saved to {}", escaped(path)));
}

void ChatView::load(std::string_view arguments) {
  const std::string path = with_home(arguments);
  report(chat_.load(path), fmt::format("went on from {}", escaped(path)));
}

void ChatView::system_text(std::string_view arguments) {
  if (arguments.empty())
    return say(chat_.system_text().empty() ? "there is no system text" : chat_.system_text());
  report(chat_.clear(std::string(arguments)), "a new conversation with this system text");
}

void ChatView::think(std::string_view arguments) {
  const text::Profile& profile = *chat_.settings().profile;
  if (arguments.empty()) return say(text::think_mode_name(chat_.settings().think));
  const auto mode = text::think_mode_by_name(arguments == "off" ? "none" : arguments);
  if (mode && profile.supports(*mode)) {
    chat_.settings().think = *mode;
    return say(fmt::format("thinking: {}", arguments));
  }
  std::string known;
  for (const text::ThinkMode one : profile.think_modes)
    known += (known.empty() ? "" : ", ") + std::string(text::think_mode_name(one));
  complain({Code::argument, fmt::format("{} is no way of thinking of the profile {}, which has {}",
                                        escaped(arguments, 40), profile.name, known)});
}

void ChatView::set(std::string_view arguments) {
  const size_t end = arguments.find_first_of("= \t");
  if (end == std::string_view::npos)
    return complain({Code::argument, "/set needs KEY=VALUE; /show params lists the keys"});
  const std::string_view key = trimmed(arguments.substr(0, end));
  const std::string_view value = trimmed(arguments.substr(end + 1));
  ChatSettings& settings = chat_.settings();
  Status status;
  if (key == "predict" || key == "n" || key == "max_tokens") {
    status = convert(value, settings.max_tokens);
  } else if (key == "think-budget" || key == "think_budget") {
    status = convert(value, settings.think_budget);
  } else if (key == "draft") {
    status = set_draft(settings.draft, value);
  } else if (key == "stop") {
    settings.stop.clear();
    if (!value.empty()) settings.stop.emplace_back(value);
  } else {
    status = sampling_.set(key, value);
  }
  report(status, fmt::format("{} = {}", escaped(key, 40), escaped(value, 80)));
}

void ChatView::stats(std::string_view arguments) {
  if (arguments == "on" || arguments == "off") {
    options_.stats = arguments == "on";
    return say(options_.stats ? "a line of speed after each answer" : "no line of speed");
  }
  if (!last_) return say("there was no answer yet");
  say(speed_line(*last_, model_));
}

void ChatView::show(std::string_view arguments) {
  if (arguments == "params") return show_parameters();
  if (arguments == "state") return show_state();
  if (arguments != "prompt") {
    const std::vector<std::string> known = {"params", "prompt", "state"};
    return complain({Code::argument, fmt::format("/show has params, prompt and state{}",
                                                 did_you_mean(arguments, known))});
  }
  const auto text = chat_.transcript();
  if (!text) return complain(text.error());
  console_.line(without_controls(*text));
}

void ChatView::show_parameters() {
  const ChatSettings& settings = chat_.settings();
  const auto sampling = sampling_.sampling(*options_.sampling_profile, settings.think);
  if (!sampling) return complain(sampling.error());
  const auto row = [&](std::string_view name, std::string_view value) {
    console_.line(fmt::format("  {:<18} {}", name, value));
  };
  row("profile", settings.profile->name);
  row("think", text::think_mode_name(settings.think));
  row("think-budget", fmt::format("{}", settings.think_budget));
  row("predict", fmt::format("{}", settings.max_tokens));
  row("draft", fmt::format("{}", settings.draft));
  for (const std::string& stop : settings.stop) row("stop", escaped(stop));
  for (const SamplingSetting& setting : sampling_settings())
    row(setting.name, setting.name == "seed" && !sampling_.has_seed() ? "another one each time"
                                                                      : setting.show(*sampling));
}

void ChatView::show_state() {
  const auto state = chat_.state();
  if (!state) return complain(state.error());
  Sha256 hash;
  for (size_t i = 0; i < (*state)->layout().parts.size(); ++i) {
    const auto part = (*state)->part(i);
    if (!part) return complain(part.error());
    hash.update(part->bytes());
  }
  console_.line(fmt::format("  tokens read        {}", (*state)->tokens_read()));
  console_.line(fmt::format("  tokens hash        {:016x}", (*state)->tokens_hash()));
  console_.line(
      fmt::format("  size               {}", bytes_text(static_cast<double>((*state)->bytes()))));
  console_.line(fmt::format("  sha256             {}", hex(hash.finish())));
  console_.line(fmt::format("  kept states        {}",
                            bytes_text(static_cast<double>(chat_.snapshot_bytes()))));
}

}  // namespace skein::cli
