#include "cli/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "cli/config.h"
#include "cli/folders.h"
#include "cli/suggest.h"

namespace skein::cli {
namespace {

template <typename T>
Status convert_number(std::string_view text, T& out, const char* kind) {
  const char* end = text.data() + text.size();
  T value{};
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc::result_out_of_range)
    return fail(Code::argument, "{} is too large a number", escaped(text, 40));
  if (error != std::errc() || at != end)
    return fail(Code::argument, "\"{}\" is not {}", escaped(text, 40), kind);
  out = value;
  return {};
}

std::string upper(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '-')
      out += '_';
    else
      out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return out;
}

std::string dashed(const Option& option) { return "--" + option.name; }

// The value checked against the declaration and stored; errors begin with `source`.
Status take(const Option& option, std::string_view text, std::string_view source) {
  if (option.names_file && text.empty())
    return fail(Code::argument, "{}: the name of a file is empty", source);
  if (!option.allowed.empty() &&
      std::find(option.allowed.begin(), option.allowed.end(), text) == option.allowed.end()) {
    std::string known;
    for (const std::string& value : option.allowed) known += (known.empty() ? "" : ", ") + value;
    return fail(Code::argument, "{}: \"{}\" is not one of {}{}", source, escaped(text, 40), known,
                did_you_mean(text, option.allowed));
  }
  if (option.low || option.high) {
    double number = 0;
    if (convert(text, number) &&
        ((option.low && number < *option.low) || (option.high && number > *option.high))) {
      const std::string bounds = option.low && option.high
                                     ? fmt::format("between {} and {}", *option.low, *option.high)
                                 : option.low ? fmt::format("at least {}", *option.low)
                                              : fmt::format("at most {}", *option.high);
      return fail(Code::argument, "{}: {} has to be {}", source, escaped(text, 40), bounds);
    }
  }
  if (auto status = option.assign(text); !status)
    return fail(Code::argument, "{}: {}", source, status.error().message);
  return {};
}

}  // namespace

Status convert(std::string_view text, bool& out) {
  for (const std::string_view yes : {"true", "on", "yes", "1"})
    if (text == yes) return out = true, Status();
  for (const std::string_view no : {"false", "off", "no", "0"})
    if (text == no) return out = false, Status();
  return fail(Code::argument, "\"{}\" is neither on nor off", escaped(text, 40));
}

Status convert(std::string_view text, int64_t& out) {
  return convert_number(text, out, "a whole number");
}

Status convert(std::string_view text, uint64_t& out) {
  return convert_number(text, out, "a whole number of at least 0");
}

Status convert(std::string_view text, double& out) {
  double value = 0;
  SK_TRY_STATUS(convert_number(text, value, "a number"));
  if (!std::isfinite(value))
    return fail(Code::argument, "\"{}\" is not a finite number", escaped(text, 40));
  out = value;
  return {};
}

Status convert(std::string_view text, std::string& out) {
  out = text;
  return {};
}

Option& Option::one_of(std::vector<std::string> values) {
  allowed = std::move(values);
  return *this;
}

Option& Option::offer(std::vector<std::string> values) {
  offered = std::move(values);
  return *this;
}

Option& Option::range(std::optional<double> least, std::optional<double> most) {
  low = least;
  high = most;
  return *this;
}

Option& Option::hide() {
  secret = true;
  return *this;
}

Option& Option::file() {
  names_file = true;
  return *this;
}

Option& Option::model() {
  assign = [inner = std::move(assign)](std::string_view text) -> Status {
    SK_TRY(const std::string path, model_path(std::string(text)));
    return inner(path);
  };
  names_model = true;
  return file();
}

Option& Option::optional() {
  must = false;
  return *this;
}

Option& Option::set_elsewhere() {
  only_here = false;
  return *this;
}

Option& Option::set_by_user() {
  trusted = true;
  return *this;
}

Option& Option::unset_elsewhere() {
  only_here = true;
  return *this;
}

std::string Option::environment() const { return "SKEIN_" + upper(name); }

std::string Option::shown() const {
  if (argument) return name + (repeats ? "..." : "");
  const std::string names =
      letter ? fmt::format("-{}, --{}", letter, name) : fmt::format("    --{}", name);
  return placeholder.empty() ? names : names + " " + placeholder;
}

Option& Options::add(std::string_view names, std::string_view placeholder, std::string_view help) {
  Option& option = options_.emplace_back();
  const size_t comma = names.find(',');
  if (comma != std::string_view::npos) option.letter = names[1];
  std::string_view name = comma == std::string_view::npos ? names : names.substr(comma + 1);
  if (name.starts_with("--")) name.remove_prefix(2);
  option.name = name;
  option.placeholder = placeholder;
  option.help = help;
  option.heading = heading_;
  return option;
}

Option& Options::flag(std::string_view names, bool& target, std::string_view help) {
  Option& option = add(names, {}, help);
  bind(option, target);
  return option;
}

Option& Options::stand_in(std::string_view names, std::string_view argument,
                          std::string_view placeholder) {
  Option& option = add(names, placeholder, fmt::format("the same as {}", argument));
  option.only_here = true;
  for (const Option& one : options_) {
    if (!one.argument || one.name != argument) continue;
    option.stands_for = &one;
    option.names_file = one.names_file;
    option.names_model = one.names_model;
  }
  return option;
}

Status Options::read(std::span<const std::string> args) {
  // What follows "--" is never an option; CLI11 need not see it.
  const auto mark = std::find(args.begin(), args.end(), "--");
  std::vector<std::string> backwards(std::make_reverse_iterator(mark),
                                     std::make_reverse_iterator(args.begin()));
  std::vector<std::string> arguments;
  try {
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();
    std::vector<std::pair<const Option*, CLI::Option*>> known;
    for (const Option& option : options_) {
      if (option.argument) continue;
      const std::string names =
          option.letter ? fmt::format("-{},--{}", option.letter, option.name) : dashed(option);
      CLI::Option* added =
          option.is_flag()
              ? app.add_flag(names)
              : app.add_option(names, CLI::callback_t([](const auto&) { return true; }));
      // One value for each time it stands there, however it looks.
      if (!option.is_flag()) added->expected(1)->type_size(1);
      added->allow_extra_args(false)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      known.emplace_back(&option, added);
    }
    app.parse(backwards);
    for (const auto& [option, parsed] : known)
      for (const std::string& value : parsed->results()) {
        if (option->stands_for) stood_in_.push_back(option);
        given_.emplace_back(option->stands_for ? option->stands_for : option, value);
      }
    arguments = app.remaining();
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string what = error.what();  // "--model: 1 required TEXT missing"
    return fail(Code::argument, "{} needs a value", escaped(what.substr(0, what.find(':'))));
  } catch (const CLI::Error& error) {
    return fail(Code::argument, "{}", escaped(error.what()));
  }
  for (const std::string& argument : arguments) {
    if (argument.size() < 2 || argument[0] != '-') continue;
    std::vector<std::string> names;
    for (const Option& option : options_)
      if (!option.argument) names.push_back(dashed(option));
    const std::string_view word = std::string_view(argument).substr(0, argument.find('='));
    const std::string hint = did_you_mean(word, names);
    return fail(Code::argument, "unknown option {}{}", escaped(word, 60),
                hint.empty() ? "; text that begins with a dash comes after --" : hint);
  }
  if (mark != args.end()) arguments.insert(arguments.end(), mark + 1, args.end());
  return take_arguments(std::move(arguments));
}

Status Options::take_arguments(std::vector<std::string> arguments) {
  std::string already;
  for (const Option& option : options_)
    if (option.stands_for && given(option.stands_for->name))
      already += fmt::format("; {} already gives {}", dashed(option), option.stands_for->name);
  size_t next = 0;
  for (const Option& option : options_) {
    if (!option.argument || given(option.name)) continue;
    while (next < arguments.size()) {
      given_.emplace_back(&option, std::move(arguments[next++]));
      if (!option.repeats) break;
    }
  }
  if (next < arguments.size())
    return fail(Code::argument, "\"{}\" is one argument too many{}", escaped(arguments[next], 60),
                already);
  return {};
}

bool Options::given(std::string_view name) const {
  return std::any_of(given_.begin(), given_.end(),
                     [&](const auto& one) { return one.first->name == name; }) ||
         std::any_of(stood_in_.begin(), stood_in_.end(),
                     [&](const Option* one) { return one->name == name; });
}

std::string Options::given_value(std::string_view name) const {
  std::string out;
  for (const auto& [option, value] : given_)
    if (option->name == name) out = value;
  return out;
}

// `where` is what the setting is said to come from, `source` what an error begins with.
Status Options::note(const Option& target, std::string_view value, std::string_view where,
                     std::string_view source) {
  SK_TRY_STATUS(take(target, value, source));
  if (settings_.empty() || settings_.back().option != &target)
    settings_.push_back({&target, {}, std::string(where)});
  if (!target.repeats) settings_.back().values.clear();
  settings_.back().values.emplace_back(value);
  return {};
}

// What the environment or a configuration file says of an option that the command line left out;
// `target` takes it. Whether there was something.
Result<bool> Options::take_elsewhere(const Option& option, const Option& target,
                                     const Config* config, std::string_view command) {
  if (option.only_here) return false;
  const std::string variable = option.environment();
  if (const char* value = std::getenv(variable.c_str()); value && *value) {
    SK_TRY_STATUS(note(target, value, variable, variable));
    return true;
  }
  const ConfigKey* key = config ? config->find(command, option.name) : nullptr;
  if (!key) return false;
  if (key->values.size() != 1 && !target.repeats)
    return fail(Code::argument, "{}: {} takes one value", key->where, option.name);
  for (const std::string& value : key->values)
    SK_TRY_STATUS(note(target, value, key->where, key->where + ": " + option.name));
  return true;
}

Status Options::resolve(const Config* config, std::string_view command) {
  for (const Option& option : options_) {
    if (given(option.name)) {
      const std::string source = option.argument ? option.name : dashed(option);
      for (const auto& [which, value] : given_)
        if (which == &option) SK_TRY_STATUS(note(option, value, "the command line", source));
      continue;
    }
    if (!option.argument) {
      if (!option.stands_for) SK_TRY_STATUS(take_elsewhere(option, option, config, command));
      continue;
    }
    bool found = false;
    for (const Option& other : options_) {
      if (found || other.stands_for != &option) continue;
      SK_TRY(found, take_elsewhere(other, option, config, command));
    }
  }
  return {};
}

Status Options::missing() const {
  for (const Option& option : options_)
    if (option.argument && option.must && !setting(option))
      return fail(Code::argument, "{} is missing", option.name);
  return {};
}

const Setting* Options::setting(const Option& option) const {
  const auto found = std::find_if(settings_.begin(), settings_.end(),
                                  [&](const Setting& one) { return one.option == &option; });
  return found == settings_.end() ? nullptr : &*found;
}

const Option* Options::find(std::string_view name) const {
  const auto found = std::find_if(options_.begin(), options_.end(), [&](const Option& option) {
    return !option.argument && option.name == name;
  });
  return found == options_.end() ? nullptr : &*found;
}

}  // namespace skein::cli
