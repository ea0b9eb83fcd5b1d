// The texts of `skein help`, made from the command table and what the commands declare.
#pragma once

#include <span>
#include <string_view>

#include "cli/commands.h"
#include "cli/console.h"

namespace skein::cli {

// "  left" and `right` beside it, wrapped.
void print_row(Console& console, std::string_view left, std::string_view right);

void print_overview(Console& console);
void print_command_help(Console& console, const CommandEntry& entry);
// All commands of a family: "state".
void print_family_help(Console& console, std::string_view first_word);

// Pages about no command in particular.
struct Topic {
  std::string_view name;
  std::string_view summary;
  std::string_view text;
};
std::span<const Topic> topics();

}  // namespace skein::cli
