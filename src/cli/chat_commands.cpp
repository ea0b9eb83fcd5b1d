// The commands of a chat: what begins with a slash.
#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/file.h"
#include "cli/chat_view.h"
#include "cli/help.h"
#include "cli/reply_view.h"
#include "cli/suggest.h"
#include "run/saved_state.h"

namespace skein::cli {
namespace {

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

std::span<const ChatView::Command> ChatView::commands() {
  static constexpr Command kCommands[] = {
      {"/help", "", "this list (?)", &ChatView::help},
      {"/exit", "", "leave, like Ctrl-D (exit, quit)", &ChatView::exit},
      {"/clear", "", "begin anew (+reset)", &ChatView::clear},
      {"/undo", "[N]", "take back the last turn, or the last N", &ChatView::undo},
      {"/retry", "", "answer the last turn once more, instead (++)", &ChatView::retry},
      {"/alt", "", "another answer; the old one stays as a branch (+)", &ChatView::alternative},
      {"/continue", "", "go on with an answer that was cut short (+++)", &ChatView::resume},
      {"/fork", "NAME", "a branch from here", &ChatView::fork},
      {"/switch", "NAME", "go to a branch", &ChatView::switch_to, &ChatView::branch_words},
      {"/tree", "", "all branches and turns", &ChatView::tree},
      {"/save", "FILE", "save the conversation with its turns and branches", &ChatView::save,
       &ChatView::file_words},
      {"/load", "FILE", "go on from a saved conversation, or a tuned state", &ChatView::load,
       &ChatView::file_words},
      {"/system", "[TEXT]", "begin anew with a system text, or show it", &ChatView::system_text},
      {"/think", "[MODE]", "how to think before an answer", &ChatView::think,
       &ChatView::think_words},
      {"/set", "[KEY=VALUE]", "change a setting, or show all", &ChatView::set,
       &ChatView::setting_words},
      {"/stats", "[on|off|all]", "how fast the last answer was; on: after each; all: in full",
       &ChatView::stats, &ChatView::stats_words},
      {"/show", "WHAT", "what the model has read, the settings or the state", &ChatView::show,
       &ChatView::show_words},
  };
  return kCommands;
}

// What people write instead, there or in other programs, alone on a line.
std::string_view ChatView::command_meant(std::string_view line) {
  static constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
      {"+", "/alt"},      {"++", "/retry"},  {"+++", "/continue"}, {"+reset", "/clear"},
      {"?", "/help"},     {"exit", "/exit"}, {"quit", "/exit"},    {"/bye", "/exit"},
      {"/quit", "/exit"}, {"/?", "/help"},
  };
  for (const auto& [alias, meant] : kAliases)
    if (line == alias) return meant;
  return line;
}

void ChatView::handle_command(std::string_view line) {
  const size_t end = std::min(line.find_first_of(" \t"), line.size());
  const std::string_view name = line.substr(0, end);
  const std::string_view arguments = trimmed(line.substr(end));
  std::vector<std::string> names;
  for (const Command& command : commands()) {
    names.emplace_back(command.name);
    if (command.name != name) continue;
    const bool wants = !command.arguments.empty() && command.arguments[0] != '[';
    if (!wants || !arguments.empty()) return (this->*command.act)(arguments);
    std::string known;
    if (command.words && command.words != &ChatView::file_words)
      for (const Choices::Word& word : (this->*command.words)(""))
        known += (known.empty() ? ": " : ", ") + escaped(word.text);
    return complain(
        {Code::argument, fmt::format("{} needs {}{}", name, command.arguments,
                                     known.empty() ? fmt::format(", {}", command.about) : known)});
  }
  complain({Code::argument,
            fmt::format("there is no {}{}", escaped(name, 40), did_you_mean(name, names))});
}

void ChatView::help(std::string_view) {
  for (const Command& command : commands())
    print_row(console_, fmt::format("{} {}", command.name, command.arguments), command.about);
  print_row(console_, "\"\"\"", "begins and ends a message of several lines");
  print_row(console_, "Tab, Ctrl-R",
            "complete a command and what follows it; find an earlier line");
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
  answer([&](const ChatListener& listener) { return chat_.alternative(listener, &kept_as); },
         kept_as);
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
  constexpr size_t kDeepest = 20;  // further in, nothing would be left of the line
  for (const Chat::TreeLine& line : chat_.tree()) {
    std::string branches;
    for (const std::string& name : line.branches) branches += " [" + escaped(name) + "]";
    const std::string text = line.user.empty()
                                 ? "(beginning)"
                                 : one_line(line.user, 32) + console_.styled(Style::dim, " -> ") +
                                       one_line(line.answer, 32);
    console_.line(fmt::format("{:{}}{} {}{}", "", 2 * std::min(line.depth, kDeepest),
                              line.current ? console_.styled(Style::cyan, "*") : " ", text,
                              console_.styled(Style::green, branches)));
  }
}

namespace {

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
  if (const auto status = chat_.load(path); !status) return complain(status.error());
  std::string where;
  if (chat_.turns() > 0) where = fmt::format(", {} turn{}", chat_.turns(), plural(chat_.turns()));
  if (const auto branches = chat_.branches(); branches.size() > 1)
    where += fmt::format(", branch {} of {}", escaped(chat_.branch()), branches.size());
  say(fmt::format("went on from {}{}", escaped(path), where));
}

void ChatView::system_text(std::string_view arguments) {
  if (arguments.empty())
    return say(chat_.system_text().empty() ? "there is no system text"
                                           : without_controls(chat_.system_text()));
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
  if (arguments.empty()) return show_parameters();
  const size_t end = std::min(arguments.find_first_of("= \t"), arguments.size());
  const std::string_view key = trimmed(arguments.substr(0, end));
  std::string_view value = trimmed(arguments.substr(std::min(end + 1, arguments.size())));
  if (value.starts_with('=')) value = trimmed(value.substr(1));
  ChatSettings& settings = chat_.settings();
  Status status;
  if (end == arguments.size()) {
    std::vector<std::string> keys;
    for (const auto& [name, now] : parameters()) keys.push_back(name);
    status = fail(Code::argument, "/set needs KEY=VALUE; /set alone shows all{}",
                  did_you_mean(key, keys));
  } else if (key == "predict" || key == "n" || key == "max_tokens") {
    status = convert(value, settings.max_tokens);
  } else if (key == "think-budget" || key == "think_budget") {
    status = convert(value, settings.think_budget);
  } else if (key == "draft") {
    status = set_draft(settings.draft, value);
  } else if (key == "stop") {
    settings.stop.clear();
    if (!value.empty()) settings.stop.emplace_back(value);
  } else if (key == "think") {
    return think(value);
  } else if (ConstraintOptions changed = constraint_; changed.set(key, value)) {
    status = hold(std::move(changed));
  } else {
    status = sampling_.set(key, value);
  }
  report(status, fmt::format("{} = {}", escaped(key, 40), escaped(value, 80)));
}

// Answers have to be that from now on, if they can.
Status ChatView::hold(ConstraintOptions changed) {
  ChatSettings& settings = chat_.settings();
  if (!settings.words) settings.words = std::make_shared<const constrain::Words>(chat_.tokenizer());
  SK_TRY_STATUS(changed.compiled(console_, settings.words));
  SK_TRY(settings.wanted, changed.wanted());
  constraint_ = std::move(changed);
  return {};
}

void ChatView::tell_speed(bool all) { say(speed_text(*last_, model_, all)); }

void ChatView::stats(std::string_view arguments) {
  if (arguments == "on" || arguments == "off") {
    options_.stats = arguments == "on";
    return say(options_.stats ? "how fast it was is said after each answer"
                              : "nothing is said of the speed");
  }
  if (!arguments.empty() && arguments != "all")
    return complain({Code::argument, "/stats has on, off and all"});
  if (!last_) return say("there was no answer yet");
  tell_speed(arguments == "all");
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

// Every key of /set with its value, and the profile.
std::vector<std::pair<std::string, std::string>> ChatView::parameters() const {
  const ChatSettings& settings = chat_.settings();
  std::vector<std::pair<std::string, std::string>> rows = {
      {"profile", std::string(settings.profile->name)},
      {"think", std::string(text::think_mode_name(settings.think))},
      {"think-budget", fmt::format("{}", settings.think_budget)},
      {"predict", fmt::format("{}", settings.max_tokens)},
      {"draft", fmt::format("{}", settings.draft)},
  };
  for (const std::string& stop : settings.stop) rows.emplace_back("stop", escaped(stop));
  if (settings.stop.empty()) rows.emplace_back("stop", "");
  for (auto& row : constraint_.shown()) rows.push_back(std::move(row));
  const auto sampling = sampling_.sampling(*options_.sampling_profile, settings.think);
  if (!sampling) return rows;  // said when an answer is asked for
  for (const SamplingSetting& setting : sampling_settings())
    rows.emplace_back(setting.name, setting.name == "seed" && !sampling_.has_seed()
                                        ? "another one each time"
                                        : setting.show(*sampling));
  return rows;
}

void ChatView::show_parameters() {
  for (const auto& [name, value] : parameters())
    console_.line(fmt::format("  {:<18} {}", name, value));
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
