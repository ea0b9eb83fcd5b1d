// Configuration files: ./skein.toml and, below it, config.toml in the configuration folder.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace skein::cli {

struct ConfigKey {
  std::string section;  // a command, "state export"; empty for all commands
  std::string name;     // an option, "threads"
  std::vector<std::string> values;
  std::string where;     // "skein.toml:3"
  bool project = false;  // of the file in the current folder, which came with what lies there
};

class Config {
 public:
  // Files that do not exist are no error. Errors: argument (a file is not TOML, or holds a value
  // that no option can take), io.
  static Result<Config> load();
  // One file instead of those, which has to exist.
  static Result<Config> load(const std::filesystem::path& file);
  // One file's text; for load() and its tests. `name` is what messages call it.
  static Result<Config> parse(std::string_view text, std::string_view name);
  static std::vector<std::filesystem::path> files();

  // The value for an option of a command: the project's file before the user's, a command's section
  // before the top of the file. nullptr if there is none.
  const ConfigKey* find(std::string_view command, std::string_view name) const;

  std::span<const ConfigKey> keys() const { return keys_; }

 private:
  std::vector<ConfigKey> keys_;  // the project's first
};

// Error: argument, for a section that is no command, a key that is no option, or one that is not
// for the current folder's file to say, with its line.
Status check_config(const Config& config);

}  // namespace skein::cli
