#include "cli/settings.h"

namespace skein::cli {
namespace {

// What one option is set to, under the name that a configuration file has for it.
struct Row {
  const Option* option = nullptr;  // whose values
  std::string name;
  bool in_file = true;  // a file may say it
  std::vector<std::string> values;
  std::string from;
};

// A string of TOML; JSON's way of writing one is TOML's, but for DEL.
std::string quoted(std::string_view text) {
  const std::string json = JsonWriter().value(text).text();
  std::string out;
  for (const char c : json) out += c == '\x7f' ? std::string("\\u007f") : std::string(1, c);
  return out;
}

std::string value_text(const Option& option, const std::string& text) {
  if (option.is_flag()) {
    bool on = false;
    return convert(text, on) && on ? "true" : "false";
  }
  if (int64_t whole = 0; option.number && convert(text, whole)) return fmt::format("{}", whole);
  if (double number = 0; option.number && convert(text, number)) return fmt::format("{}", number);
  return quoted(text);
}

std::string values_text(const Row& row) {
  if (!row.option->repeats) return value_text(*row.option, row.values.front());
  std::string out;
  for (const std::string& value : row.values)
    out += (out.empty() ? "" : ", ") + value_text(*row.option, value);
  return "[" + out + "]";
}

// An argument stands under the name of the option that can give it.
std::vector<Row> rows_of(const Options& options) {
  std::vector<Row> out;
  for (const Option& option : options.all()) {
    if (option.argument || option.name == kConfigOption || option.name == kPrintConfigOption ||
        option.name == "help")
      continue;
    const Option& target = option.stands_for ? *option.stands_for : option;
    Row row{&target, option.name, !option.only_here, {}, "built in"};
    if (const Setting* setting = options.setting(target)) {
      row.values = setting->values;
      row.from = setting->where;
    } else if (option.is_flag()) {
      row.values = {"false"};
    } else if (!option.fallback.empty()) {
      row.values = {option.fallback};
    }
    out.push_back(std::move(row));
  }
  return out;
}

void print_json(Console& console, const std::vector<Row>& rows, std::string_view command) {
  JsonWriter json;
  json.begin_object().member("command", command).key("settings").begin_array();
  for (const Row& row : rows) {
    json.begin_object().member("name", row.name).key("values").begin_array();
    for (const std::string& value : row.values)
      row.option->secret ? json.null() : json.value(value);
    json.end_array().member("from", row.values.empty() ? "" : row.from).end_object();
  }
  console.object(json.end_array().end_object());
}

}  // namespace

void SettingsOptions::declare(Options& options) {
  options
      .value("--config", file_, "FILE",
             "settings in TOML, instead of skein.toml here and your own config.toml")
      .file()
      .unset_elsewhere();
  options
      .flag("--print-config", print_,
            "print the settings in force, as such a file, with where each comes from; keys are "
            "left out")
      .unset_elsewhere();
}

void print_settings(Console& console, const Options& options, std::string_view command) {
  const std::vector<Row> rows = rows_of(options);
  if (console.json()) return print_json(console, rows, command);
  std::string section(command);
  if (const size_t space = section.find(' '); space != std::string::npos) section[space] = '.';
  console.line("# The settings in force. What is not set stands behind a #.");
  console.line("[" + section + "]");
  for (const Row& row : rows) {
    if (row.values.empty())
      console.line(fmt::format("# {} =", row.name));
    else if (row.option->secret)
      console.line(fmt::format("# {} =  # {} of them, not printed; from {}", row.name,
                               row.values.size(), row.from));
    else
      console.line(fmt::format("{}{} = {}  # {}", row.in_file ? "" : "# ", row.name,
                               values_text(row), row.from));
  }
}

}  // namespace skein::cli
