#include <algorithm>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/model_store.h"

namespace skein::cli {
namespace {

// One command as the scripts need it.
struct Entry {
  std::string name;
  std::string summary;
  std::deque<Option> options;
};

std::vector<Entry> entries() {
  std::vector<Entry> out;
  for (const CommandEntry& row : commands()) {
    const CommandPtr command = row.make();
    GeneralOptions general;
    Options options;
    declare_all(*command, general, options);
    out.push_back({std::string(row.name), std::string(row.summary), options.all()});
  }
  return out;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

std::vector<std::string> strings(const std::vector<std::string_view>& words) {
  return {words.begin(), words.end()};
}

std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string flags_of(const Entry& entry) {
  std::vector<std::string> words;
  for (const Option& option : entry.options) {
    if (option.argument) continue;
    words.push_back("--" + option.name);
    if (option.letter) words.push_back(fmt::format("-{}", option.letter));
  }
  return joined(words);
}

const std::vector<std::string>& choices_of(const Option& option) {
  return option.allowed.empty() ? option.offered : option.allowed;
}

// What can stand as one of a command's arguments.
struct Argument {
  std::string name;
  std::vector<std::string> words;
  bool file = false, model = false, repeats = false;
};

std::vector<Argument> arguments_of(const Entry& entry) {
  std::vector<Argument> out;
  for (const Option& option : entry.options) {
    if (!option.argument) continue;
    out.push_back(
        {option.name, choices_of(option), option.names_file, option.names_model, option.repeats});
    if (entry.name != "help") continue;
    out.back().words = strings(first_words());
    for (const Topic& topic : topics()) out.back().words.emplace_back(topic.name);
  }
  return out;
}

// How often `text` has a blank.
size_t blanks_in(std::string_view text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), ' '));
}

std::vector<std::string> families() {
  std::vector<std::string> out;
  for (const std::string_view word : first_words())
    if (!family_of(word).empty()) out.emplace_back(word);
  return out;
}

// A function that offers the value of the option "COMMAND:OPTION", and fails where it takes none.
std::string bash_values() {
  std::string out = "_skein_value() {\n  case $1 in\n";
  for (const Entry& entry : entries())
    for (const Option& option : entry.options) {
      if (option.argument || option.is_flag()) continue;
      std::string pattern = shell_quoted(fmt::format("{}:--{}", entry.name, option.name));
      if (option.letter)
        pattern +=
            fmt::format("|{}", shell_quoted(fmt::format("{}:-{}", entry.name, option.letter)));
      const std::vector<std::string>& words = choices_of(option);
      out += fmt::format("    {}) {} ;;\n", pattern,
                         !words.empty()       ? "_skein_offer -W " + shell_quoted(joined(words))
                         : option.names_model ? "_skein_models"
                         : option.names_file  ? "_skein_offer -f"
                                              : ":");
    }
  return out + "    *) return 1 ;;\n  esac\n  return 0\n}\n";
}

std::string bash_script() {
  std::string out = R"sh(# bash completion of skein; load it with: source <(skein completion bash)
_skein_offer() { mapfile -t COMPREPLY < <(compgen "$@" -- "${COMP_WORDS[COMP_CWORD]}"); }
# Names of files are foreign words, which compgen -W would expand: $(...) in them would be run.
_skein_models() {
  local name
  _skein_offer -f
  while IFS= read -r name; do
    [[ $name == "${COMP_WORDS[COMP_CWORD]}"* ]] && COMPREPLY+=("$name")
  done < <(skein completion bash --installed 2>/dev/null)
  return 0
}
_skein() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command= i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${COMP_WORDS[i]} in
      -*) ;;
      *) command=${COMP_WORDS[i]}; break ;;
    esac
  done
  COMPREPLY=()
)sh";
  out.insert(out.find("_skein() {"), bash_values());
  out += "  case $command in\n";
  out += fmt::format("    '') _skein_offer -W {}; return ;;\n",
                     shell_quoted(joined(strings(first_words())) + " --version --help"));
  for (const std::string& family : families())
    out += fmt::format(
        "    {0})\n"
        "      if ((i + 1 == COMP_CWORD)); then\n"
        "        _skein_offer -W {1}; return\n"
        "      fi\n"
        "      command=\"$command ${{COMP_WORDS[i+1]}}\" ;;\n",
        family, shell_quoted(joined(strings(family_of(family)))));
  out += "  esac\n  _skein_value \"$command:$previous\" && return\n  case \"$command:$word\" in\n";
  for (const Entry& entry : entries())
    out += fmt::format("    {}:-*) _skein_offer -W {}; return ;;\n", shell_quoted(entry.name),
                       shell_quoted(flags_of(entry)));
  out += "  esac\n";
  // Which argument it is: options and their values count for nothing.
  out += R"(  local at=0 from=$((i + 1)) last=
  [[ $command == *' '* ]] && ((++from))
  for ((i = from; i < COMP_CWORD; ++i)); do
    [[ ${COMP_WORDS[i]} == -* ]] || _skein_value "$command:$last" || ((++at))
    last=${COMP_WORDS[i]}
  done
  COMPREPLY=()
  case "$command:$at" in
)";
  for (const Entry& entry : entries()) {
    const std::vector<Argument> arguments = arguments_of(entry);
    for (size_t i = 0; i < arguments.size(); ++i) {
      const Argument& one = arguments[i];
      const std::string offer =
          !one.words.empty() ? fmt::format("_skein_offer -W {}", shell_quoted(joined(one.words)))
          : one.model        ? "_skein_models"
          : one.file         ? "_skein_offer -f"
                             : ":";
      out += fmt::format("    {}:{}) {} ;;\n", shell_quoted(entry.name),
                         one.repeats ? "*" : std::to_string(i), offer);
    }
  }
  return out + R"(  esac
}
complete -o filenames -F _skein skein
)";
}

// In a zsh specification: brackets, colons and backslashes mean something.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_action(const Option& option) {
  if (const auto& words = choices_of(option); !words.empty())
    return fmt::format("({})", joined(words));
  return option.names_model ? "_skein_models" : option.names_file ? "_files" : " ";
}

std::string zsh_arguments(const Entry& entry) {
  std::string out = "_arguments -s";
  for (const Option& option : entry.options) {
    if (option.argument) continue;
    std::string rest = fmt::format("[{}]", zsh_text(option.help));
    if (!option.is_flag())
      rest += fmt::format(":{}:{}", zsh_text(option.placeholder), zsh_action(option));
    const char* star = option.repeats ? "*" : "";
    out += " \\\n        " + shell_quoted(fmt::format("{}--{}{}", star, option.name, rest));
    if (option.letter)
      out += " \\\n        " + shell_quoted(fmt::format("{}-{}{}", star, option.letter, rest));
  }
  for (const Argument& one : arguments_of(entry)) {
    const std::string action = !one.words.empty() ? fmt::format("({})", joined(one.words))
                               : one.model        ? "_skein_models"
                               : one.file         ? "_files"
                                                  : " ";
    out += " \\\n        " + shell_quoted(fmt::format("{}:{}:{}", one.repeats ? "*" : "",
                                                      zsh_text(one.name), action));
  }
  return out;
}

std::string zsh_script() {
  std::string out =
      "#compdef skein\n"
      "# zsh completion of skein; put it into a folder of $fpath as _skein\n"
      "_skein_models() {\n"
      "  compadd -- ${(f)\"$(skein completion zsh --installed 2>/dev/null)\"}\n"
      "  _files\n"
      "}\n"
      "_skein() {\n"
      "  local command=$words[2]\n"
      "  if ((CURRENT == 2)); then\n"
      "    local -a commands=(\n";
  for (const Entry& entry : entries()) {
    if (entry.name.find(' ') == std::string::npos)
      out += "      " + shell_quoted(zsh_text(entry.name) + ":" + zsh_text(entry.summary)) + "\n";
  }
  for (const std::string& family : families())
    out += "      " + shell_quoted(family + ":" + joined(strings(family_of(family)))) + "\n";
  out +=
      "    )\n"
      "    _describe command commands\n"
      "    return\n"
      "  fi\n"
      "  case $command in\n";
  for (const std::string& family : families())
    out += fmt::format(
        "    {0})\n"
        "      if ((CURRENT == 3)); then\n"
        "        compadd {1}\n"
        "        return\n"
        "      fi\n"
        "      command=\"$command $words[3]\"\n"
        "      shift words; ((CURRENT--)) ;;\n",
        family, joined(strings(family_of(family))));
  out += "  esac\n  shift words; ((CURRENT--))\n  case $command in\n";
  for (const Entry& entry : entries())
    out += fmt::format("    {})\n      {} ;;\n", shell_quoted(entry.name), zsh_arguments(entry));
  return out + "  esac\n}\n_skein \"$@\"\n";
}

std::string fish_script() {
  std::string out =
      "# fish completion of skein; load it with: skein completion fish | source\n"
      "complete -c skein -f\n"
      "# Whether so many words stand before the one that is typed, without options.\n"
      "function __skein_at\n"
      "  test (count (string match -v -- '-*' (commandline -opc))) -eq $argv[1]\n"
      "end\n";
  for (const std::string_view word : first_words()) {
    const CommandEntry* entry = find_command(word);
    out += fmt::format(
        "complete -c skein -n __fish_use_subcommand -a {} -d {}\n", word,
        shell_quoted(entry ? std::string(entry->summary) : joined(strings(family_of(word)))));
  }
  for (const std::string& family : families())
    for (const std::string_view name : family_of(family))
      out += fmt::format(
          "complete -c skein -n '__fish_seen_subcommand_from {0}; and not "
          "__fish_seen_subcommand_from {1}' -a {2} -d {3}\n",
          family, joined(strings(family_of(family))), name,
          shell_quoted(find_command(family + " " + std::string(name))->summary));
  for (const Entry& entry : entries()) {
    const size_t space = entry.name.find(' ');
    std::string when = "__fish_seen_subcommand_from " + entry.name.substr(0, space);
    if (space != std::string::npos)
      when += "; and __fish_seen_subcommand_from " + entry.name.substr(space + 1);
    const std::string begin = "complete -c skein -n " + shell_quoted(when);
    for (const Option& option : entry.options) {
      if (option.argument) continue;
      const std::vector<std::string>& words = choices_of(option);
      out += begin + " -l " + option.name;
      if (option.letter) out += std::string(" -s ") + option.letter;
      if (!option.is_flag()) out += option.names_file ? " -r -F" : " -x";
      if (!words.empty()) out += " -a " + shell_quoted(joined(words));
      if (option.names_model) out += " -a '(skein completion fish --installed)'";
      out += " -d " + shell_quoted(option.help) + "\n";
    }
    const std::vector<Argument> arguments = arguments_of(entry);
    for (size_t i = 0; i < arguments.size(); ++i) {
      const Argument& one = arguments[i];
      const size_t before = 2 + blanks_in(entry.name) + i;
      const std::string here =
          "complete -c skein -n " +
          shell_quoted(one.repeats ? when : fmt::format("{}; and __skein_at {}", when, before));
      if (!one.words.empty()) out += here + " -a " + shell_quoted(joined(one.words)) + "\n";
      if (one.model) out += here + " -a '(skein completion fish --installed)'\n";
      if (one.file) out += here + " -F\n";
    }
  }
  return out;
}

class Completion final : public Command {
 public:
  void declare(Options& options) override {
    options.argument("SHELL", shell_, "bash, zsh or fish").one_of({"bash", "zsh", "fish"});
    options
        .flag("--installed", installed_, "print what models have short names, as the script asks")
        .unset_elsewhere();
  }
  bool wants_config() const override { return false; }

  int run(Console& console) override {
    if (installed_) return print_models(console);
    const std::string script = shell_ == "bash"  ? bash_script()
                               : shell_ == "zsh" ? zsh_script()
                                                 : fish_script();
    if (console.json()) {
      JsonWriter json;
      json.begin_object().member("shell", shell_).member("script", script).end_object();
      console.object(json);
    } else {
      console.out(script);
    }
    return kFine;
  }

 private:
  static int print_models(Console& console) {
    JsonWriter json;
    json.begin_object().key("models").begin_array();
    for (const StoredModel& model : stored_models()) {
      const std::string name = model.short_name();
      json.value(name);
      if (!console.json() && escaped(name) == name) console.line(name);
    }
    json.end_array().end_object();
    if (console.json()) console.object(json);
    return kFine;
  }

  std::string shell_;
  bool installed_ = false;
};

}  // namespace

CommandPtr make_completion() { return std::make_unique<Completion>(); }

}  // namespace skein::cli
