// A model file that was looked at and not loaded yet: what it is and what it will need, told before
// anything is allocated.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>

#include "base/platform.h"
#include "ops/backend.h"
#include "run/model.h"
#include "run/model_source.h"
#include "run/prospect.h"

namespace skein {

class Opening {
 public:
  // Reads headers only. Errors: io, corrupt, unsupported, mismatch (the file); argument (options,
  // SKEIN_ISA).
  static Result<Opening> look(const std::filesystem::path& path, const ModelOptions& options = {});
  static Result<Opening> look(ModelSource source, const ModelOptions& options = {});

  // But for what only loading tells: fingerprint, weight and token figures.
  const ModelInfo& info() const { return info_; }
  const Prospect& prospect() const { return prospect_; }
  const MemoryEstimate& memory() const { return prospect_.memory; }
  const std::filesystem::path& path() const { return source_.files.path(); }
  const Metadata& metadata() const { return source_.container().metadata; }

  // Whether this process may have what it needs: of the machine, of its control groups (which kill
  // who takes more), of address space. load() asks as well. Error: memory, with the largest type to
  // quantise to that would fit.
  Status fits() const;

  // The model as it would be quantised to `type`. Errors: those of weights_as().
  Result<Prospect> prospect_as(std::string_view type) const;
  // Seconds of a token's products, measured now (ops::Backend::product_seconds), as it is or, with
  // a type, as it would be. Errors: those of weights_as().
  Result<double> token_seconds(std::string_view type = {}) const;

  // The model, in the place of this. Errors: those of its weights; memory; io ("interrupted", or
  // the file was cut meanwhile).
  Result<std::shared_ptr<Model>> load(const LoadProgress& progress = {}) &&;

 private:
  Opening(ModelSource source, ModelOptions options, std::unique_ptr<ops::Backend> backend);
  static Result<Opening> look(ModelSource source, const ModelOptions& options,
                              std::unique_ptr<ops::Backend> backend,
                              std::chrono::steady_clock::time_point started);
  int64_t text() const;
  Status does_not_fit(uint64_t needs, std::string_view of, const MemoryLimit& limit,
                      const std::function<bool(const Prospect&)>& fits) const;

  ModelSource source_;
  ModelOptions options_;
  std::unique_ptr<ops::Backend> backend_;
  ops::Program program_;
  ModelInfo info_;
  Prospect prospect_;
};

}  // namespace skein
