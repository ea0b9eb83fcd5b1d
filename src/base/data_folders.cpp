#include "base/data_folders.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>

namespace skein {
namespace {

namespace fs = std::filesystem;

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;
}

// The folders of the program and of the library that holds this code.
std::vector<fs::path> homes() {
  std::vector<fs::path> out;
  std::error_code error;
  if (const fs::path program = fs::read_symlink("/proc/self/exe", error); !error)
    out.push_back(program.parent_path());
  Dl_info here{};
  if (::dladdr(reinterpret_cast<const void*>(&own_data_folder), &here) != 0 && here.dli_fname)
    if (const fs::path file = fs::canonical(here.dli_fname, error); !error)
      out.push_back(file.parent_path());
  return out;
}

}  // namespace

fs::path user_folder(const char* name, const char* below_home) {
  if (const char* all = variable("SKEIN_HOME")) return all;
  if (const char* base = variable(name)) return fs::path(base) / "skein";
  if (const char* home = variable("HOME")) return fs::path(home) / below_home / "skein";
  return {};
}

fs::path own_data_folder() { return user_folder("XDG_DATA_HOME", ".local/share"); }

std::vector<fs::path> data_folders() {
  std::vector<fs::path> out;
  const auto add = [&](const fs::path& folder) {
    if (!folder.empty() && std::find(out.begin(), out.end(), folder) == out.end())
      out.push_back(folder);
  };
  add(own_data_folder());
  const char* given = variable("XDG_DATA_DIRS");
  std::string_view dirs = given ? given : "/usr/local/share:/usr/share";
  while (!dirs.empty()) {
    const std::string_view one = dirs.substr(0, dirs.find(':'));
    if (!one.empty()) add(fs::path(one) / "skein");
    dirs.remove_prefix(std::min(dirs.size(), one.size() + 1));
  }
  for (const fs::path& home : homes()) {
    // prefix/bin, prefix/lib, or prefix/lib/x86_64-linux-gnu.
    const bool below_lib = home.parent_path().filename().string().starts_with("lib");
    add((below_lib ? home.parent_path().parent_path() : home.parent_path()) / "share/skein");
  }
  return out;
}

}  // namespace skein
