#include <algorithm>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/help.h"

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

std::string quoted(std::string_view text) {
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

// What can stand as the command's argument, where that is a choice.
std::vector<std::string> argument_words(const Entry& entry) {
  std::vector<std::string> out;
  if (entry.name == "help") {
    out = strings(first_words());
    for (const Topic& topic : topics()) out.emplace_back(topic.name);
  }
  for (const Option& option : entry.options)
    if (option.argument) out.insert(out.end(), option.allowed.begin(), option.allowed.end());
  return out;
}

std::vector<std::string> families() {
  std::vector<std::string> out;
  for (const std::string_view word : first_words())
    if (!family_of(word).empty()) out.emplace_back(word);
  return out;
}

std::string bash_script() {
  std::string out = R"(# bash completion of skein; load it with: source <(skein completion bash)
_skein_offer() { mapfile -t COMPREPLY < <(compgen "$@" -- "${COMP_WORDS[COMP_CWORD]}"); }
_skein() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command= i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${COMP_WORDS[i]} in
      -*) ;;
      *) command=${COMP_WORDS[i]}; break ;;
    esac
  done
  COMPREPLY=()
)";
  out += "  case $command in\n";
  out += fmt::format("    '') _skein_offer -W {}; return ;;\n",
                     quoted(joined(strings(first_words())) + " --version --help"));
  for (const std::string& family : families())
    out += fmt::format(
        "    {0})\n"
        "      if ((i + 1 == COMP_CWORD)); then\n"
        "        _skein_offer -W {1}; return\n"
        "      fi\n"
        "      command=\"$command ${{COMP_WORDS[i+1]}}\" ;;\n",
        family, quoted(joined(strings(family_of(family)))));
  out += "  esac\n  case \"$command:$previous\" in\n";
  for (const Entry& entry : entries())
    for (const Option& option : entry.options) {
      if (option.argument || option.is_flag()) continue;
      std::string pattern = quoted(fmt::format("{}:--{}", entry.name, option.name));
      if (option.letter)
        pattern += fmt::format("|{}", quoted(fmt::format("{}:-{}", entry.name, option.letter)));
      if (!option.allowed.empty())
        out += fmt::format("    {}) _skein_offer -W {}; return ;;\n", pattern,
                           quoted(joined(option.allowed)));
      else if (option.names_file)
        out += fmt::format("    {}) _skein_offer -f; return ;;\n", pattern);
      else
        out += fmt::format("    {}) return ;;\n", pattern);
    }
  out += "  esac\n  case \"$command:$word\" in\n";
  for (const Entry& entry : entries()) {
    out += fmt::format("    {}:-*) _skein_offer -W {} ;;\n", quoted(entry.name),
                       quoted(flags_of(entry)));
    if (const auto words = argument_words(entry); !words.empty())
      out += fmt::format("    {}:*) _skein_offer -W {} ;;\n", quoted(entry.name),
                         quoted(joined(words)));
  }
  return out + R"(    *) _skein_offer -f ;;
  esac
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
  if (!option.allowed.empty()) return fmt::format("({})", joined(option.allowed));
  return option.names_file ? "_files" : " ";
}

std::string zsh_arguments(const Entry& entry) {
  std::string out = "_arguments -s";
  for (const Option& option : entry.options) {
    if (option.argument) continue;
    std::string rest = fmt::format("[{}]", zsh_text(option.help));
    if (!option.is_flag())
      rest += fmt::format(":{}:{}", zsh_text(option.placeholder), zsh_action(option));
    const char* star = option.repeats ? "*" : "";
    out += " \\\n        " + quoted(fmt::format("{}--{}{}", star, option.name, rest));
    if (option.letter)
      out += " \\\n        " + quoted(fmt::format("{}-{}{}", star, option.letter, rest));
  }
  const auto words = argument_words(entry);
  out += " \\\n        " + quoted(words.empty() ? "*:argument:_files"
                                                : fmt::format("*:argument:({})", joined(words)));
  return out;
}

std::string zsh_script() {
  std::string out =
      "#compdef skein\n"
      "# zsh completion of skein; put it into a folder of $fpath as _skein\n"
      "_skein() {\n"
      "  local command=$words[2]\n"
      "  if ((CURRENT == 2)); then\n"
      "    local -a commands=(\n";
  for (const Entry& entry : entries()) {
    if (entry.name.find(' ') == std::string::npos)
      out += "      " + quoted(zsh_text(entry.name) + ":" + zsh_text(entry.summary)) + "\n";
  }
  for (const std::string& family : families())
    out += "      " + quoted(family + ":" + joined(strings(family_of(family)))) + "\n";
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
    out += fmt::format("    {})\n      {} ;;\n", quoted(entry.name), zsh_arguments(entry));
  return out + "  esac\n}\n_skein \"$@\"\n";
}

std::string fish_script() {
  std::string out =
      "# fish completion of skein; load it with: skein completion fish | source\n"
      "complete -c skein -f\n";
  for (const std::string_view word : first_words()) {
    const CommandEntry* entry = find_command(word);
    out +=
        fmt::format("complete -c skein -n __fish_use_subcommand -a {} -d {}\n", word,
                    quoted(entry ? std::string(entry->summary) : joined(strings(family_of(word)))));
  }
  for (const std::string& family : families())
    for (const std::string_view name : family_of(family))
      out += fmt::format(
          "complete -c skein -n '__fish_seen_subcommand_from {0}; and not "
          "__fish_seen_subcommand_from {1}' -a {2} -d {3}\n",
          family, joined(strings(family_of(family))), name,
          quoted(find_command(family + " " + std::string(name))->summary));
  for (const Entry& entry : entries()) {
    const size_t space = entry.name.find(' ');
    std::string when = "__fish_seen_subcommand_from " + entry.name.substr(0, space);
    if (space != std::string::npos)
      when += "; and __fish_seen_subcommand_from " + entry.name.substr(space + 1);
    const std::string begin = "complete -c skein -n " + quoted(when);
    bool files = false;
    for (const Option& option : entry.options) {
      if (option.argument) {
        files = files || option.names_file;
        continue;
      }
      out += begin + " -l " + option.name;
      if (option.letter) out += std::string(" -s ") + option.letter;
      if (!option.is_flag()) out += option.names_file ? " -r -F" : " -x";
      if (!option.allowed.empty()) out += " -a " + quoted(joined(option.allowed));
      out += " -d " + quoted(option.help) + "\n";
    }
    if (files) out += begin + " -F\n";
    if (const auto words = argument_words(entry); !words.empty())
      out += begin + " -a " + quoted(joined(words)) + "\n";
  }
  return out;
}

class Completion final : public Command {
 public:
  void declare(Options& options) override {
    options.argument("SHELL", shell_, "bash, zsh or fish").one_of({"bash", "zsh", "fish"});
  }
  bool wants_config() const override { return false; }

  int run(Console& console) override {
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
  std::string shell_;
};

}  // namespace

CommandPtr make_completion() { return std::make_unique<Completion>(); }

}  // namespace skein::cli
