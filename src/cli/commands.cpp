#include "cli/commands.h"

#include <algorithm>

namespace skein::cli {

// Each command's file defines its factory.
CommandPtr make_ask();
CommandPtr make_bench();
CommandPtr make_client();
CommandPtr make_compare();
CommandPtr make_complete();
CommandPtr make_completion();
CommandPtr make_convert();
CommandPtr make_detokenize();
CommandPtr make_doctor();
CommandPtr make_help();
CommandPtr make_inspect();
CommandPtr make_list();
CommandPtr make_pull();
CommandPtr make_quantize();
CommandPtr make_rm();
CommandPtr make_run();
CommandPtr make_serve();
CommandPtr make_state_diff();
CommandPtr make_state_export();
CommandPtr make_state_import();
CommandPtr make_state_show();
CommandPtr make_state_verify();
CommandPtr make_template();
CommandPtr make_tokenize();
CommandPtr make_vocab();

namespace {

constexpr std::string_view kText = "Talk to a model";
constexpr std::string_view kModels = "Have models";
constexpr std::string_view kFiles = "Look at files";
constexpr std::string_view kTokens = "See what the model sees";
constexpr std::string_view kMachine = "This machine and this program";

// Commands of a group, and those of a family, stand together.
constexpr CommandEntry kCommands[] = {
    {"run", kText, "chat with a model, or one answer to a prompt or a pipe", make_run},
    {"ask", kText, "answer a question about a document, which is read once", make_ask},
    {"complete", kText, "continue a text, without a template", make_complete},
    {"serve", kText, "answer over HTTP, as OpenAI's API does", make_serve},
    {"client", kText, "chat with a server, Skein's or another with OpenAI's API", make_client},
    {"pull", kModels, "fetch a model, or a vocabulary", make_pull},
    {"list", kModels, "list the models that are here, or that can be fetched", make_list},
    {"rm", kModels, "remove a model that was fetched", make_rm},
    {"vocab", kModels, "take the World vocabulary out of a GGUF", make_vocab},
    {"inspect", kFiles, "say what a file is and what keeps it from running", make_inspect},
    {"convert", kFiles, "write a model in another container, with other names or types",
     make_convert},
    {"quantize", kFiles, "write a model with quantised matrices", make_quantize},
    {"compare", kFiles, "say what a quantised file costs in quality beside its source",
     make_compare},
    {"state show", kFiles, "say what a state belongs to and stands for", make_state_show},
    {"state export", kFiles, "write a state in another program's layout", make_state_export},
    {"state import", kFiles, "read a state of another program's layout", make_state_import},
    {"state diff", kFiles, "compare two states; exits 1 if they differ", make_state_diff},
    {"state verify", kFiles, "check a state's structure, checksum and numbers", make_state_verify},
    {"tokenize", kTokens, "print the ids that a model sees for a text", make_tokenize},
    {"detokenize", kTokens, "print the text that ids stand for", make_detokenize},
    {"template", kTokens, "print a conversation as the model sees it", make_template},
    {"bench", kMachine, "measure speed beside the limits of this machine", make_bench},
    {"doctor", kMachine, "examine processor, memory and folders; self-test", make_doctor},
    {"completion", kMachine, "print a completion script for a shell", make_completion},
    {"help", kMachine, "explain a command or a topic", make_help},
};

}  // namespace

std::span<const CommandEntry> commands() { return kCommands; }

const CommandEntry* find_command(std::string_view name) {
  const auto found = std::find_if(std::begin(kCommands), std::end(kCommands),
                                  [&](const CommandEntry& entry) { return entry.name == name; });
  return found == std::end(kCommands) ? nullptr : found;
}

std::vector<std::string_view> family_of(std::string_view first_word) {
  std::vector<std::string_view> out;
  for (const CommandEntry& entry : kCommands) {
    const size_t space = entry.name.find(' ');
    if (space != std::string_view::npos && entry.name.substr(0, space) == first_word)
      out.push_back(entry.name.substr(space + 1));
  }
  return out;
}

std::vector<std::string_view> first_words() {
  std::vector<std::string_view> out;
  for (const CommandEntry& entry : kCommands) {
    const std::string_view word = entry.name.substr(0, entry.name.find(' '));
    if (out.empty() || out.back() != word) out.push_back(word);
  }
  return out;
}

void GeneralOptions::declare(Options& options) {
  options.section("General options");
  options.flag("-h,--help", help, "explain this command").unset_elsewhere();
  options.flag("--json", json, "print one JSON object instead of text");
  options.flag("-q,--quiet", quiet, "no progress, statistics or warnings");
  options.flag("-v,--verbose", verbose, "say more");
  options.value("--color", color, "WHEN", "colour: auto, always or never")
      .one_of({"auto", "always", "never"});
}

void declare_all(Command& command, GeneralOptions& general, Options& options) {
  options.section("Options");
  command.declare(options);
  general.declare(options);
}

}  // namespace skein::cli
