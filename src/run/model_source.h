// A model file with what is merged into it, up to the point where its numbers would be read: what
// running, converting and inspecting it share, so that they agree on what is a model.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "arch/adapter.h"
#include "arch/registry.h"
#include "io/model_files.h"

namespace skein {

// A file that RWKV-PEFT made beside a model.
struct AdapterFile {
  std::filesystem::path path{};
  arch::AdapterOptions options{};
  std::filesystem::path initial{};  // PiSSA's initial pair (init_pissa.pth), or empty
};

struct ModelSource {
  // Errors: io, corrupt, unsupported, mismatch (a file, or an adapter that does not fit).
  static Result<ModelSource> open(const std::filesystem::path& path,
                                  std::span<const AdapterFile> adapters = {});
  static Result<ModelSource> of(io::ModelFiles files, std::span<const AdapterFile> adapters = {});

  std::string name() const { return files.name(); }  // for messages
  const Container& container() const { return files.container(); }
  // Whether all of its files are as long as they were.
  bool intact() const;

  io::ModelFiles files;
  std::vector<io::ModelFiles> adapters;
  arch::Identified what;
  arch::NamedModel model;                           // merged
  std::map<std::string, DType, std::less<>> types;  // of its tensors before anything was merged
  std::unique_ptr<arch::Architecture> architecture;
  std::vector<ops::WeightData> weights;  // as the architecture's program reads them
};

}  // namespace skein
