// The one table of subcommands: dispatch, help and shell completion read it.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "cli/command.h"

namespace skein::cli {

struct CommandEntry {
  std::string_view name;     // "inspect"; of a family both words, "state show"
  std::string_view group;    // heading in the overview
  std::string_view summary;  // one line, without a full stop
  CommandPtr (*make)();
};

std::span<const CommandEntry> commands();
const CommandEntry* find_command(std::string_view name);
// The second words of a family: "state" -> show, export, ... Empty if there is none.
std::vector<std::string_view> family_of(std::string_view first_word);
// Every first word, once, in the order of the table.
std::vector<std::string_view> first_words();

// What every command takes besides its own options.
struct GeneralOptions {
  bool help = false;
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  std::string color = "auto";

  void declare(Options& options);
};

// The command's options and the general ones, as parsed and as listed.
void declare_all(Command& command, GeneralOptions& general, Options& options);

}  // namespace skein::cli
