#include "run/adapters.h"

#include <optional>
#include <utility>

namespace skein {

Result<std::vector<io::ModelFiles>> merge_adapters(std::span<const AdapterFile> adapters,
                                                   arch::NamedTensors& tensors) {
  std::vector<io::ModelFiles> out;
  for (const AdapterFile& adapter : adapters) {
    SK_TRY(io::ModelFiles file, io::ModelFiles::open(adapter.path));
    std::optional<io::ModelFiles> initial;
    if (!adapter.initial.empty()) {
      SK_TRY(initial, io::ModelFiles::open(adapter.initial));
    }
    SK_TRY_STATUS(arch::merge_adapter(tensors, file.container(),
                                      initial ? &initial->container() : nullptr, adapter.options,
                                      file.name()));
    out.push_back(std::move(file));
  }
  return out;
}

}  // namespace skein
