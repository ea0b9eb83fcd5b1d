// The commands of a chat with a server: what begins with a slash.
#include <algorithm>

#include "cli/help.h"
#include "cli/remote_view.h"
#include "cli/suggest.h"

namespace skein::cli {

std::span<const RemoteView::Command> RemoteView::commands() {
  static constexpr Command kCommands[] = {
      {"/help", "", "this list (?)", &RemoteView::help},
      {"/exit", "", "leave, like Ctrl-D (exit, quit)", &RemoteView::exit},
      {"/clear", "", "begin anew (+reset)", &RemoteView::clear},
      {"/undo", "[N]", "take back the last turn, or the last N", &RemoteView::undo},
      {"/retry", "", "answer the last turn once more, instead (++)", &RemoteView::retry},
      {"/continue", "", "go on with an answer that was cut short (+++)", &RemoteView::resume},
      {"/system", "[TEXT]", "begin anew with a system text, or show it", &RemoteView::system_text},
      {"/model", "[NAME]", "ask another model, or list what the server has", &RemoteView::model},
      {"/think", "[LEVEL]", "how much to think before an answer; off: as the server likes",
       &RemoteView::think},
      {"/set", "[KEY=VALUE]", "change a setting, or show those that are sent", &RemoteView::set},
      {"/stats", "[on|off]", "how fast the last answer was; on: after each", &RemoteView::stats},
      {"/show", "", "the conversation so far", &RemoteView::show},
  };
  return kCommands;
}

std::string_view RemoteView::command_meant(std::string_view line) {
  static constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
      {"++", "/retry"},  {"+++", "/continue"}, {"+reset", "/clear"},
      {"?", "/help"},    {"exit", "/exit"},    {"quit", "/exit"},
      {"/bye", "/exit"}, {"/quit", "/exit"},   {"/?", "/help"},
  };
  for (const auto& [alias, meant] : kAliases)
    if (line == alias) return meant;
  return line;
}

void RemoteView::handle_command(std::string_view line) {
  const size_t end = std::min(line.find_first_of(" \t"), line.size());
  const std::string_view name = line.substr(0, end);
  std::vector<std::string> names;
  for (const Command& command : commands()) {
    names.emplace_back(command.name);
    if (command.name == name) return (this->*command.act)(trimmed(line.substr(end)));
  }
  complain({Code::argument,
            fmt::format("there is no {}{}", escaped(name, 40), did_you_mean(name, names))});
}

Choices RemoteView::choices(std::string_view before) const {
  if (reader_.in_block() || (!before.empty() && before[0] != '/')) return {};
  Choices out = {.apply = true};
  if (before.find_first_of(" \t") != std::string_view::npos) return out;
  for (const Command& command : commands()) out.words.push_back({std::string(command.name)});
  return out;
}

void RemoteView::report(const Status& status, std::string_view done) {
  if (status)
    say(done);
  else
    complain(status.error());
}

void RemoteView::help(std::string_view) {
  for (const Command& command : commands())
    print_row(console_, fmt::format("{} {}", command.name, command.arguments), command.about);
  print_row(console_, "\"\"\"", "begins and ends a message of several lines");
  print_row(console_, "Tab, Ctrl-R", "complete a command; find an earlier line");
}

void RemoteView::exit(std::string_view) { leaving_ = true; }

void RemoteView::clear(std::string_view) {
  chat_.clear();
  say("a new conversation");
}

void RemoteView::undo(std::string_view arguments) {
  uint64_t count = 1;
  if (!arguments.empty())
    if (auto status = convert(arguments, count); !status) return complain(status.error());
  const auto status = chat_.undo(count);
  report(status,
         fmt::format("took back {} turn{}, {} left", count, count == 1 ? "" : "s", chat_.turns()));
}

void RemoteView::retry(std::string_view) {
  answer([&](const RemoteListener& listener) { return chat_.retry(listener); });
}

void RemoteView::resume(std::string_view) {
  answer([&](const RemoteListener& listener) { return chat_.resume(listener); });
}

void RemoteView::system_text(std::string_view arguments) {
  if (arguments.empty())
    return say(chat_.system_text().empty() ? "there is no system text"
                                           : without_controls(chat_.system_text()));
  chat_.clear(std::string(arguments));
  say("a new conversation with this system text");
}

void RemoteView::model(std::string_view arguments) {
  const auto all = remote_.models();
  if (!all) return complain(all.error());
  std::string& now = chat_.settings().model;
  if (arguments.empty()) {
    for (const std::string& name : *all)
      console_.line(fmt::format("{} {}", name == now ? console_.styled(Style::cyan, "*") : " ",
                                without_controls(name)));
    return;
  }
  if (std::find(all->begin(), all->end(), arguments) == all->end())
    return complain(
        {Code::argument, fmt::format("{} has no model {}{}", remote_.name(), escaped(arguments, 80),
                                     did_you_mean(arguments, *all))});
  now = arguments;
  say(fmt::format("{} answers from now on", escaped(arguments)));
}

void RemoteView::think(std::string_view arguments) {
  std::string& now = chat_.settings().think;
  if (!arguments.empty()) now = arguments == "off" ? "" : arguments;
  say(now.empty() ? "thinking: as the server likes" : "thinking: " + escaped(now, 40));
}

void RemoteView::set(std::string_view arguments) {
  RemoteSettings& settings = chat_.settings();
  if (arguments.empty()) {
    const auto row = [&](std::string_view name, std::string_view value) {
      console_.line(fmt::format("  {:<18} {}", name, value));
    };
    row("model", escaped(settings.model));
    if (!settings.think.empty()) row("think", escaped(settings.think));
    if (settings.predict >= 0) row("predict", fmt::format("{}", settings.predict));
    for (const std::string& stop : settings.stop) row("stop", escaped(stop));
    for (const auto& [setting, value] : sampling_.given()) row(setting->name, escaped(value));
    return;
  }
  const size_t end = arguments.find('=');
  const std::string_view key = trimmed(arguments.substr(0, end));
  const std::string_view value =
      end == std::string_view::npos ? "" : trimmed(arguments.substr(end + 1));
  Status status;
  if (end == std::string_view::npos)
    status = fail(Code::argument, "/set needs KEY=VALUE; /set alone shows what is sent");
  else if (key == "predict" || key == "n" || key == "max_tokens")
    status = convert(value, settings.predict);
  else if (key == "stop")
    settings.stop = value.empty() ? std::vector<std::string>{} : std::vector{std::string(value)};
  else if (key == "model")
    return model(value);
  else if (key == "think")
    return think(value);
  else
    status = sampling_.set(key, value);
  report(status, fmt::format("{} = {}", escaped(key, 40), escaped(value, 80)));
}

void RemoteView::stats(std::string_view arguments) {
  if (arguments == "on" || arguments == "off") {
    stats_ = arguments == "on";
    return say(stats_ ? "how fast it was is said after each answer"
                      : "nothing is said of the speed");
  }
  if (!arguments.empty()) return complain({Code::argument, "/stats has on and off"});
  say(last_ ? speed_text(*last_) : "there was no answer yet");
}

void RemoteView::show(std::string_view) {
  if (!chat_.system_text().empty())
    console_.line(fmt::format("system: {}", without_controls(chat_.system_text())));
  for (const RemoteMessage& one : chat_.messages())
    console_.line(fmt::format("{}: {}", one.role, without_controls(one.content)));
}

}  // namespace skein::cli
