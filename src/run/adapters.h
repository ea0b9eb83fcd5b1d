// Adapter files, opened and merged.
#pragma once

#include <span>
#include <vector>

#include "arch/architecture.h"
#include "io/model_files.h"
#include "run/model.h"

namespace skein {

// Merges one after the other into `tensors`. The files have to stay until the tensors have been
// read. Errors: those of opening the files and of arch::merge_adapter.
Result<std::vector<io::ModelFiles>> merge_adapters(std::span<const AdapterFile> adapters,
                                                   arch::NamedTensors& tensors);

}  // namespace skein
