// State files of any layout as named pieces, for the tools that look at them.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "run/state.h"
#include "run/state_file.h"

namespace skein::cli {

struct StatePart {
  std::string name;  // "blocks.0.att.wkv"; "all" where neither file nor model tells
  std::vector<float> values;
};

struct StateParts {
  std::optional<SavedState> saved;  // of Skein's own format
  std::string kind;                 // "Skein state", "full state of 6 tensors" ...
  std::vector<StatePart> parts;
};

// With a layout the file has to fit it, and its parts are the model's. Errors: those of reading the
// file; mismatch.
Result<StateParts> read_state_parts(const std::filesystem::path& path,
                                    const std::shared_ptr<const StateLayout>& layout,
                                    std::optional<bool> swapped);

// The layout of `model`, or none for an empty path.
Result<std::shared_ptr<const StateLayout>> layout_of(const std::string& model);

// "5 turns; branches main (here, 3 turns), alt-1 (2 turns)".
std::string conversation_text(const SavedChat& chat);

struct Norms {
  double euclidean = 0;
  double largest = 0;
};
Norms norms(std::span<const float> values);

}  // namespace skein::cli
