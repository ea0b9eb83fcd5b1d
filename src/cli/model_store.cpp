#include "cli/model_store.h"

#include <algorithm>
#include <system_error>

#include "base/data_folders.h"
#include "base/file.h"
#include "base/output_place.h"
#include "base/part_file.h"
#include "hub/official.h"
#include "io/model_endings.h"

namespace skein::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMost = 65536;

std::vector<std::string> sorted_names(const fs::path& folder) {
  auto names = names_in(folder, kMost);
  if (!names) return {};
  std::sort(names->begin(), names->end());
  return std::move(*names);
}

bool is_model(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return fs::exists(path / "config.json", ignored);
  return !io::model_ending(path.filename().string()).empty();
}

uint64_t size_of(const fs::path& path) {
  std::error_code ignored;
  const uintmax_t size = fs::file_size(path, ignored);
  return size == static_cast<uintmax_t>(-1) ? 0 : size;
}

}  // namespace

std::string StoredModel::short_name() const {
  const std::string file = path.filename().string();
  return name == file && !io::model_ending(file).empty() ? path.stem().string() : name;
}

Result<fs::path> own_models_folder() {
  const fs::path data = own_data_folder();
  if (data.empty())
    return fail(Code::io, "neither HOME nor SKEIN_HOME says in which folder models lie");
  return data / "models";
}

std::vector<StoredModel> stored_models() {
  std::vector<StoredModel> out;
  const fs::path own = own_data_folder();
  for (const fs::path& data : data_folders()) {
    const std::vector<std::string> names = sorted_names(data / "models");
    for (const std::string& name : names) {
      const fs::path path = data / "models" / name;
      if (!is_model(path)) continue;
      const hub::OfficialModel* official = hub::official_of(name);
      // A line's name means its newest file.
      const bool called = official && hub::newest_of(*official, names) == name;
      out.push_back({called ? std::string(official->name) : name, path, data == own});
    }
  }
  return out;
}

std::vector<UnfinishedModel> unfinished_models() {
  std::vector<UnfinishedModel> out;
  const auto folder = own_models_folder();
  if (!folder) return out;
  for (const std::string& name : sorted_names(*folder))
    if (const auto target = target_of_part(name))
      out.push_back({std::string(*target), *folder / name, size_of(*folder / name)});
  return out;
}

void remove_unfinished(const fs::path& target) {
  // Where a link leads the parts lie, and are called as what it leads to.
  const auto place = find_output(target);
  if (!place) return;
  const fs::path folder = place->path.parent_path();
  for (const std::string& name : sorted_names(folder.empty() ? "." : folder))
    if (target_of_part(name) == place->name) (void)remove_part(folder / name);
}

}  // namespace skein::cli
