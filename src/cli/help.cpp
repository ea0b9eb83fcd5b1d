#include "cli/help.h"

#include <algorithm>
#include <vector>

#include "cli/suggest.h"

namespace skein::cli {
namespace {

constexpr size_t kIndent = 28;

std::string explained(const Option& option) {
  std::string out = option.help;
  if (!option.argument && !option.fallback.empty() && option.fallback != "auto" &&
      option.fallback != "0")
    out += fmt::format(" [{}]", option.fallback);
  return out;
}

std::string usage(const CommandEntry& entry, const Options& options) {
  std::string out = fmt::format("skein {} [OPTIONS]", entry.name);
  for (const Option& option : options.all())
    if (option.argument)
      out +=
          option.must ? fmt::format(" {}", option.shown()) : fmt::format(" [{}]", option.shown());
  return out;
}

void write_option(JsonWriter& json, const Option& option) {
  json.begin_object().member("name", option.argument ? option.name : "--" + option.name);
  if (option.letter) json.member("letter", fmt::format("-{}", option.letter));
  if (!option.placeholder.empty()) json.member("placeholder", option.placeholder);
  json.member("help", option.help);
  if (!option.argument && !option.fallback.empty()) json.member("default", option.fallback);
  if (!option.allowed.empty()) {
    json.key("allowed").begin_array();
    for (const std::string& value : option.allowed) json.value(value);
    json.end_array();
  }
  if (option.argument) json.member("required", option.must);
  json.member("repeats", option.repeats).end_object();
}

void write_command(JsonWriter& json, const CommandEntry& entry) {
  const CommandPtr command = entry.make();
  GeneralOptions general;
  Options options;
  declare_all(*command, general, options);
  json.begin_object().member("name", entry.name).member("summary", entry.summary);
  for (const bool arguments : {true, false}) {
    json.key(arguments ? "arguments" : "options").begin_array();
    for (const Option& option : options.all())
      if (option.argument == arguments) write_option(json, option);
    json.end_array();
  }
  json.end_object();
}

// The commands of a family, or all of them and the topics.
void print_json(Console& console, std::string_view family) {
  JsonWriter json;
  json.begin_object().key("commands").begin_array();
  for (const CommandEntry& entry : commands())
    if (family.empty() || entry.name.starts_with(std::string(family) + " "))
      write_command(json, entry);
  json.end_array();
  if (family.empty()) {
    json.key("topics").begin_array();
    for (const Topic& topic : topics())
      json.begin_object().member("name", topic.name).member("summary", topic.summary).end_object();
    json.end_array();
  }
  console.object(json.end_object());
}

void print_topic(Console& console, const Topic& topic) {
  if (!console.json()) return console.out(topic.text);
  JsonWriter json;
  json.begin_object().member("name", topic.name).member("summary", topic.summary);
  console.object(json.member("text", topic.text).end_object());
}

class Help final : public Command {
 public:
  void declare(Options& options) override {
    options.argument("WORD", words_, "a command (inspect, state export) or a topic").optional();
  }
  bool wants_config() const override { return false; }

  int run(Console& console) override {
    if (words_.empty()) return print_overview(console), kFine;
    std::string name;
    for (const std::string& word : words_) name += (name.empty() ? "" : " ") + word;
    if (name == "chat" || name == "sampling") name = "run";  // where these stand
    if (const CommandEntry* entry = find_command(name))
      return print_command_help(console, *entry), kFine;
    if (!family_of(name).empty()) return print_family_help(console, name), kFine;
    for (const Topic& topic : topics())
      if (topic.name == name) return print_topic(console, topic), kFine;
    std::vector<std::string> known;
    for (const CommandEntry& entry : commands()) known.emplace_back(entry.name);
    for (const Topic& topic : topics()) known.emplace_back(topic.name);
    return console.error({Code::argument, fmt::format("no help about {}{}", escaped(name, 60),
                                                      did_you_mean(name, known))});
  }

 private:
  std::vector<std::string> words_;
};

}  // namespace

CommandPtr make_help() { return std::make_unique<Help>(); }

void print_row(Console& console, std::string_view left, std::string_view right) {
  const size_t width = static_cast<size_t>(std::clamp(console.width(), 45, 100));
  std::string line = "  " + std::string(left);
  if (line.size() + 2 > kIndent && !right.empty()) {
    console.line(line);
    line.clear();
  }
  line.resize(std::max(kIndent, line.size()), ' ');
  size_t column = line.size();
  while (!right.empty()) {
    const size_t end = std::min(right.find(' '), right.size());
    const std::string_view word = right.substr(0, end);
    if (column > kIndent && column + 1 + word.size() > width) {
      console.line(line);
      line.assign(kIndent, ' ');
      column = kIndent;
    }
    if (column > kIndent) line += ' ';
    line += word;
    column = line.size();
    right.remove_prefix(std::min(end + 1, right.size()));
  }
  console.line(line.substr(0, line.find_last_not_of(' ') + 1));
}

void print_overview(Console& console) {
  if (console.json()) return print_json(console, "");
  console.line("skein runs RWKV language models.");
  console.line("");
  console.line("usage: skein COMMAND [OPTIONS] [ARGUMENTS]");
  std::string_view group;
  std::string_view last;
  for (const CommandEntry& entry : commands()) {
    const std::string_view word = entry.name.substr(0, entry.name.find(' '));
    if (word == last) continue;
    last = word;
    if (entry.group != group) {
      group = entry.group;
      console.line("");
      console.line(console.styled(Style::bold, group));
    }
    const auto family = family_of(word);
    if (family.empty()) {
      print_row(console, word, entry.summary);
      continue;
    }
    std::string list;
    for (const std::string_view name : family)
      list += (list.empty() ? "" : ", ") + std::string(name);
    print_row(console, word, "state files: " + list);
  }
  console.line("");
  console.line(console.styled(Style::bold, "Topics"));
  for (const Topic& topic : topics()) print_row(console, topic.name, topic.summary);
  console.line("");
  console.line("skein help COMMAND explains a command; skein --version tells which skein this is.");
}

void print_command_help(Console& console, const CommandEntry& entry) {
  if (console.json()) {
    JsonWriter json;
    write_command(json, entry);
    return console.object(json);
  }
  const CommandPtr command = entry.make();
  GeneralOptions general;
  Options options;
  declare_all(*command, general, options);
  console.line(fmt::format("skein {}: {}", entry.name, entry.summary));
  console.line("");
  console.line("usage: " + usage(entry, options));
  bool arguments = false;
  for (const Option& option : options.all()) {
    if (!option.argument) continue;
    if (!arguments) console.line("");
    arguments = true;
    print_row(console, option.shown(), explained(option));
  }
  std::vector<std::string> headings;
  for (const Option& option : options.all())
    if (!option.argument &&
        std::find(headings.begin(), headings.end(), option.heading) == headings.end())
      headings.push_back(option.heading);
  for (const std::string& heading : headings) {
    console.line("");
    console.line(console.styled(Style::bold, heading));
    for (const Option& option : options.all())
      if (!option.argument && option.heading == heading)
        print_row(console, option.shown(), explained(option));
  }
}

void print_family_help(Console& console, std::string_view first_word) {
  if (console.json()) return print_json(console, first_word);
  console.line(fmt::format("usage: skein {} COMMAND [OPTIONS] [ARGUMENTS]", first_word));
  console.line("");
  for (const std::string_view name : family_of(first_word)) {
    const std::string full = fmt::format("{} {}", first_word, name);
    print_row(console, full, find_command(full)->summary);
  }
  console.line("");
  console.line(fmt::format("skein help {} COMMAND explains one of them.", first_word));
}

}  // namespace skein::cli
