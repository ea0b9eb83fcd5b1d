// Which file settings come from, and which are in force: --config FILE and --print-config, of
// commands that people leave running.
#pragma once

#include <string_view>

#include "cli/console.h"
#include "cli/options.h"

namespace skein::cli {

inline constexpr std::string_view kConfigOption = "config";
inline constexpr std::string_view kPrintConfigOption = "print-config";

class SettingsOptions {
 public:
  // Who runs the command heeds them.
  void declare(Options& options);

 private:
  std::string file_;
  bool print_ = false;
};

// After resolve(): all settings of the command as TOML, a line each with where it comes from, so
// that what is printed can be read again; --json: as a list. Of secrets only their number.
void print_settings(Console& console, const Options& options, std::string_view command);

}  // namespace skein::cli
