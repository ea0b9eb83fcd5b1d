#include "cli/folders.h"

#include <cstdlib>
#include <system_error>

#include "base/data_folders.h"
#include "base/file.h"
#include "hub/official.h"
#include "io/model_endings.h"

namespace skein::cli {
namespace {
constexpr size_t kMostNames = 65536;  // in a folder
}

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

std::filesystem::path stored_path(const std::string& name) {
  std::error_code ignored;
  if (name.empty() || name.find('/') != std::string::npos) return {};
  for (const std::filesystem::path& data : data_folders()) {
    const std::filesystem::path plain = data / "models" / name;
    if (std::filesystem::exists(plain, ignored)) return plain;
    for (const std::string_view ending : io::kModelEndings)
      if (auto path = plain.string() + std::string(ending); std::filesystem::exists(path, ignored))
        return path;
  }
  const hub::OfficialModel* official = hub::find_official(name);
  if (!official) return {};
  for (const std::filesystem::path& data : data_folders())
    if (const auto names = names_in(data / "models", kMostNames))
      if (const std::string file = hub::newest_of(*official, *names); !file.empty())
        return data / "models" / file;
  return {};
}

Result<std::string> model_path(const std::string& name) {
  std::error_code ignored;
  if (name.empty() || name.find('/') != std::string::npos || std::filesystem::exists(name, ignored))
    return name;
  if (const std::filesystem::path path = stored_path(name); !path.empty()) return path.string();
  const hub::OfficialModel* official = hub::find_official(name);
  if (!official) return name;
  return fail(Code::argument, "{0} is not here yet; `skein pull {0}` fetches it", official->name);
}

std::filesystem::path state_folder() { return user_folder("XDG_STATE_HOME", ".local/state"); }

}  // namespace skein::cli
