// The models that RWKV's authors publish, by short names: the one table.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace skein::hub {

struct OfficialModel {
  std::string_view name;    // "g1-0.4b"
  std::string_view repo;    // of the hub
  std::string_view file;    // in it
  uint64_t bytes = 0;       // of a line about
  std::string_view sha256;  // hexadecimal; of a line empty

  // A line goes on: every few weeks its authors publish a file that is better trained. Its name
  // stands for the newest that the hub has, and `file` is the newest that was known here.
  bool is_line() const { return sha256.empty(); }
};

// Newest design first, then by size.
std::span<const OfficialModel> official_models();

// By its name, in any letter case; nullptr if there is none.
const OfficialModel* find_official(std::string_view name);

// Whether a file of this name is the model; of a line, whether it is of the line and the size.
bool is_file_of(const OfficialModel& model, std::string_view file_name);
// The model whose file this is; nullptr if there is none.
const OfficialModel* official_of(std::string_view file_name);

// Of file names the newest that is_file_of() the model, by the date in them; empty if there is
// none.
std::string newest_of(const OfficialModel& model, std::span<const std::string> file_names);

}  // namespace skein::hub
