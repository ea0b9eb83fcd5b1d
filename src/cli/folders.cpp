#include "cli/folders.h"

#include <cstdlib>

namespace skein::cli {
namespace {

std::filesystem::path folder(const char* variable, const char* below_home) {
  if (const char* all = std::getenv("SKEIN_HOME"); all && *all) return all;
  if (const char* base = std::getenv(variable); base && *base)
    return std::filesystem::path(base) / "skein";
  if (const char* home = std::getenv("HOME"); home && *home)
    return std::filesystem::path(home) / below_home / "skein";
  return {};
}

}  // namespace

std::filesystem::path config_folder() { return folder("XDG_CONFIG_HOME", ".config"); }
std::filesystem::path data_folder() { return folder("XDG_DATA_HOME", ".local/share"); }
std::filesystem::path state_folder() { return folder("XDG_STATE_HOME", ".local/state"); }

}  // namespace skein::cli
