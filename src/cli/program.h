// From the words of a command line to a command and its exit code.
#pragma once

#include <span>
#include <string>

namespace skein::cli {

// `args` without the program's own name.
int run_program(std::span<const std::string> args);

inline constexpr const char* kVersion = SKEIN_VERSION;

}  // namespace skein::cli
