// The models that can be called by a name: what lies in `models` of the data folders, and what a
// pull has left unfinished there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace skein::cli {

struct StoredModel {
  std::string name;  // what it can be called: "g1-0.4b", else the file's name
  std::filesystem::path path;
  bool own = false;  // in the user's folder, and not in one of the system's

  // Without a file's ending, which a model is found by too.
  std::string short_name() const;
};

struct UnfinishedModel {
  std::string file_name;  // of what it will be
  std::filesystem::path path;
  uint64_t bytes = 0;  // that are there
};

// Where `skein pull` puts models and `skein rm` takes them away. Error: io (no variable and no home
// folder says where).
Result<std::filesystem::path> own_models_folder();

// By name within each folder, the user's first.
std::vector<StoredModel> stored_models();
std::vector<UnfinishedModel> unfinished_models();

// Removes what pulls of this file have left, but for what another process is fetching.
void remove_unfinished(const std::filesystem::path& target);

}  // namespace skein::cli
