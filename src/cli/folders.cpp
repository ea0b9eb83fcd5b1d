#include "cli/folders.h"

#include <cstdlib>
#include <system_error>

#include <set>

#include "base/data_folders.h"
#include "base/file.h"

namespace skein::cli {

bool make_folder(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (folder.empty()) return false;
  if (fs::is_directory(folder, error)) return true;
  const char* home = std::getenv("HOME");
  fs::path base = home ? home : "";
  if (!base.has_filename()) base = base.parent_path();
  const fs::path inside = base.empty() ? base : folder.lexically_relative(base);
  const bool below = !inside.empty() && *inside.begin() != "..";
  // Below HOME all the way (.local/state/skein), elsewhere the folder and nothing above it.
  const fs::path there = below ? base : folder.parent_path();
  if (!fs::is_directory(there.empty() ? fs::path(".") : there, error)) return false;
  fs::create_directories(folder, error);
  return fs::is_directory(folder, error);
}

std::filesystem::path config_folder() { return user_folder("XDG_CONFIG_HOME", ".config"); }

namespace {

constexpr const char* kEndings[] = {"", ".skein", ".gguf", ".safetensors", ".st", ".pth", ".bin"};

}  // namespace

std::vector<std::string> installed_models() {
  constexpr size_t kMost = 10'000;
  std::set<std::string> found;
  for (const std::filesystem::path& data : data_folders()) {
    const auto names = names_in(data / "models", kMost);
    if (!names) continue;
    for (const std::string& name : *names)
      for (const std::string_view ending : kEndings)
        if (!ending.empty() && name.size() > ending.size() && name.ends_with(ending))
          found.insert(name.substr(0, name.size() - ending.size()));
  }
  return {found.begin(), found.end()};
}

std::string model_path(const std::string& name) {
  std::error_code ignored;
  if (name.empty() || name.find('/') != std::string::npos || std::filesystem::exists(name, ignored))
    return name;
  for (const std::filesystem::path& data : data_folders())
    for (const char* ending : kEndings)
      if (const auto path = data / "models" / (name + ending);
          std::filesystem::exists(path, ignored))
        return path.string();
  return name;
}

std::filesystem::path state_folder() { return user_folder("XDG_STATE_HOME", ".local/state"); }

}  // namespace skein::cli
