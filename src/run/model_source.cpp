#include "run/model_source.h"

#include <algorithm>
#include <utility>

namespace skein {

Result<ModelSource> ModelSource::open(const std::filesystem::path& path,
                                      std::span<const AdapterFile> adapters) {
  SK_TRY(io::ModelFiles files, io::ModelFiles::open(path));
  return of(std::move(files), adapters);
}

Result<ModelSource> ModelSource::of(io::ModelFiles files, std::span<const AdapterFile> adapters) {
  const std::string name = files.name();
  arch::Identified what = arch::identify(files.container());
  SK_TRY(arch::OpenedModel opened, arch::open_model(files.container(), what, name));
  ModelSource out = {.files = std::move(files),
                     .adapters = {},
                     .what = std::move(what),
                     .model = std::move(opened.model),
                     .types = {},
                     .architecture = std::move(opened.architecture),
                     .weights = {}};
  for (const auto& [tensor, stored] : out.model.tensors) out.types.emplace(tensor, stored.dtype);
  for (const AdapterFile& adapter : adapters) {
    const io::ModelFiles* initial = nullptr;
    SK_TRY(io::ModelFiles file, io::ModelFiles::open(adapter.path));
    if (!adapter.initial.empty()) {
      SK_TRY(io::ModelFiles before, io::ModelFiles::open(adapter.initial));
      initial = &out.adapters.emplace_back(std::move(before));
    }
    SK_TRY_STATUS(arch::merge_adapter(out.model.tensors, file.container(),
                                      initial ? &initial->container() : nullptr, adapter.options,
                                      file.name()));
    out.adapters.push_back(std::move(file));
  }
  SK_TRY(out.weights, arch::collect_weights(*out.architecture, out.model.tensors, name));
  return out;
}

bool ModelSource::intact() const {
  return files.intact() && std::all_of(adapters.begin(), adapters.end(),
                                       [](const io::ModelFiles& file) { return file.intact(); });
}

}  // namespace skein
