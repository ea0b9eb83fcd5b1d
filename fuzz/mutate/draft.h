// A model file before it is written: whatever its container holds, with nothing checked, so that
// each fact can be changed by itself and the rest of the file still agrees.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "run/saved_state.h"
#include "support/random.h"
#include "tensor/stored.h"

namespace skein::mutate {

struct DraftTensor {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> shape, strides;  // strides and offset have a place in a .pth only
  int64_t offset = 0;
  size_t storage = 0;  // of Draft::storages
  Layout layout = Layout::rows;
};

struct Draft {
  Format format = Format::safetensors;
  bool list = false;
  std::vector<DraftTensor> tensors;
  std::vector<std::string> storages;
  Metadata metadata;
};

// What a container holds, its bytes copied.
Draft draft_of(const Container& container);

// Changes one thing about the tensors or the metadata, `other` lending names and numbers. Says
// what.
std::string change_draft(Draft& draft, const Draft& other, test::Random& random);

// A state's file, and the bytes of each of its parts.
struct StateDraft {
  SavedState saved;  // its offsets count for nothing
  std::vector<std::string> parts;
  bool first_version = false;  // all parts as one
};

}  // namespace skein::mutate
