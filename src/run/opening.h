// A model file that was looked at and not loaded yet: what it is and what it will need, told before
// anything is allocated.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include "ops/backend.h"
#include "run/model.h"
#include "run/model_source.h"

namespace skein {

// What a model will need.
struct MemoryEstimate {
  ops::MemoryNeed host;    // weights with a second plane, where there will be one
  ops::MemoryNeed device;  // where the device has a memory of its own, else zeros
  int64_t logits = 0;      // of each sequence, on the host: a row, and what a choice from it takes

  // The most that the host's, or the device's, has to give while a model is loaded and that many
  // sequences are generated: each has its state and one to go back to, and a prompt one more.
  int64_t peak(int64_t sequences = 1) const;
  int64_t device_peak(int64_t sequences = 1) const;
};

class Opening {
 public:
  // Reads headers only. Errors: io, corrupt, unsupported, mismatch (the file); argument (options,
  // SKEIN_ISA).
  static Result<Opening> look(const std::filesystem::path& path, const ModelOptions& options = {});
  static Result<Opening> look(ModelSource source, const ModelOptions& options = {});

  // But for what only loading tells: fingerprint, weight and token figures.
  const ModelInfo& info() const { return info_; }
  const MemoryEstimate& memory() const { return memory_; }
  const std::filesystem::path& path() const { return source_.files.path(); }
  const Metadata& metadata() const { return source_.container().metadata; }

  // The model, in the place of this. Errors: those of its weights; memory; io ("interrupted", or
  // the file was cut meanwhile).
  Result<std::shared_ptr<Model>> load(const LoadProgress& progress = {}) &&;

 private:
  Opening(ModelSource source, ModelOptions options, std::unique_ptr<ops::Backend> backend);
  static Result<Opening> look(ModelSource source, const ModelOptions& options,
                              std::unique_ptr<ops::Backend> backend,
                              std::chrono::steady_clock::time_point started);
  void expect(TwoPlane choice);

  ModelSource source_;
  ModelOptions options_;
  std::unique_ptr<ops::Backend> backend_;
  ops::Program program_;
  ModelInfo info_;
  MemoryEstimate memory_;
};

}  // namespace skein
