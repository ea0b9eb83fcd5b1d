// What a command takes: flags, options with a value, arguments. A declaration stands once; the
// command line, SKEIN_* variables, configuration files, help and shell completion all read it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace skein::cli {

class Config;

// Text to a value, strictly: all of it, in range. The error says what is wrong, not where.
Status convert(std::string_view text, bool& out);  // true false on off yes no 1 0
Status convert(std::string_view text, int64_t& out);
Status convert(std::string_view text, uint64_t& out);
Status convert(std::string_view text, double& out);  // finite
Status convert(std::string_view text, std::string& out);
template <typename T>
Status convert(std::string_view text, std::optional<T>& out) {
  return convert(text, out.emplace());
}
// An option that may stand several times.
template <typename T>
Status convert(std::string_view text, std::vector<T>& out) {
  return convert(text, out.emplace_back());
}

struct Option {
  std::string name;         // "threads"; of an argument "MODEL"
  char letter = 0;          // 't'
  std::string placeholder;  // "N"; empty for a flag
  std::string help;
  std::string heading;  // in the help text
  std::vector<std::string> allowed;
  std::vector<std::string> offered;  // by completion, besides others that are right
  std::string fallback;  // the value that stands when nobody says otherwise, if worth showing
  bool argument = false;
  bool must = false;
  bool repeats = false;
  bool names_file = false;
  bool names_model = false;
  bool only_here = false;              // on the command line, not in the environment or a file
  bool secret = false;                 // its value is never printed
  bool number = false;                 // its value is one
  bool trusted = false;                // not in the file of the current folder, which others wrote
  const Option* stands_for = nullptr;  // the argument that it gives
  std::optional<double> low, high;
  std::function<Status(std::string_view)> assign;

  // For declarations: options.value(...).range(1, 4096);
  Option& one_of(std::vector<std::string> values);
  Option& offer(std::vector<std::string> values);
  Option& range(std::optional<double> least, std::optional<double> most);
  Option& file();             // its value is a path
  Option& model();            // likewise, or the name of a model that is installed
  Option& optional();         // an argument that may be missing
  Option& unset_elsewhere();  // only_here
  Option& set_elsewhere();    // not only_here, of a stand-in
  Option& set_by_user();      // trusted
  Option& hide();             // secret

  bool is_flag() const { return placeholder.empty() && !argument; }
  std::string environment() const;  // SKEIN_TOP_P
  std::string shown() const;        // "-t, --threads N"
};

// An option that somebody set, with the texts that he set it to and where.
struct Setting {
  const Option* option = nullptr;
  std::vector<std::string> values;
  std::string where;  // "the command line", "SKEIN_PORT", "skein.toml:3"
};

class Options {
 public:
  Options() = default;
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;

  // The heading of what is declared after it.
  void section(std::string_view heading) { heading_ = heading; }

  // `names`: "--json" or "-q,--quiet". Targets have to live as long as the Options; what they hold
  // now is the built-in value.
  Option& flag(std::string_view names, bool& target, std::string_view help);
  // T: bool, int64_t, uint64_t, double, std::string, std::optional of one of them (empty when
  // nobody gave it), or std::vector of one of them (may stand several times).
  template <typename T>
  Option& value(std::string_view names, T& target, std::string_view placeholder,
                std::string_view help) {
    Option& option = add(names, placeholder, help);
    bind(option, target);
    option.number = kIsNumber<T>;
    return option;
  }
  // Arguments come in the order of their declaration. A vector takes all that is left.
  template <typename T>
  Option& argument(std::string_view name, T& target, std::string_view help) {
    Option& option = add(name, {}, help);
    option.argument = true;
    option.must = true;
    bind(option, target);
    return option;
  }

  // Another way to write an argument that was declared: --model FILE for MODEL.
  Option& stand_in(std::string_view names, std::string_view argument, std::string_view placeholder);

  // Sorts the command line into options and arguments. Error: argument (an unknown option, a
  // missing value, an argument too many).
  Status read(std::span<const std::string> args);
  // Whether read() saw the option, or of an argument it or what stands for it.
  bool given(std::string_view name) const;
  // The last value that it saw of one; empty if there is none.
  std::string given_value(std::string_view name) const;
  // Fills the targets: command line, else environment, else `config` (which may be null). Error:
  // argument, naming the source.
  Status resolve(const Config* config, std::string_view command);
  // After resolve(). Error: argument (one that has to be there is not).
  Status missing() const;
  // After resolve(): what somebody set. Of an argument that an option gives, the argument.
  const Setting* setting(const Option& option) const;

  const std::deque<Option>& all() const { return options_; }
  const Option* find(std::string_view name) const;

 private:
  Option& add(std::string_view names, std::string_view placeholder, std::string_view help);
  template <typename T>
  void bind(Option& option, T& target) {
    option.assign = [&target](std::string_view text) { return convert(text, target); };
    if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, int64_t> ||
                  std::is_same_v<T, uint64_t> || std::is_same_v<T, double> ||
                  std::is_same_v<T, std::string>) {
      if (!option.is_flag()) option.fallback = fmt::format("{}", target);
    }
  }
  template <typename T>
  void bind(Option& option, std::vector<T>& target) {
    option.repeats = true;
    option.assign = [&target](std::string_view text) { return convert(text, target); };
  }
  Status take_arguments(std::vector<std::string> arguments);
  Result<bool> take_elsewhere(const Option& option, const Option& target, const Config* config,
                              std::string_view command);
  Status note(const Option& target, std::string_view value, std::string_view where,
              std::string_view source);

  template <typename T>
  static constexpr bool kIsNumber =
      std::is_same_v<T, int64_t> || std::is_same_v<T, uint64_t> || std::is_same_v<T, double> ||
      std::is_same_v<T, std::optional<int64_t>> || std::is_same_v<T, std::optional<uint64_t>> ||
      std::is_same_v<T, std::optional<double>>;

  std::deque<Option> options_;  // a deque: declarations hand out references
  std::string heading_;
  std::vector<std::pair<const Option*, std::string>> given_;  // in the order of the command line
  std::vector<const Option*> stood_in_;                       // options that gave an argument
  std::deque<Setting> settings_;
};

}  // namespace skein::cli
