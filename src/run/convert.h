// Any model file into another: other containers, names and types, adapters merged on the way.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arch/names/names.h"
#include "arch/quant_policy.h"
#include "arch/registry.h"
#include "io/model_writer.h"
#include "run/model_source.h"

namespace skein {

struct ConvertOptions {
  io::WriteFormat format = io::WriteFormat::safetensors;
  std::string names{};          // "official", "fla", "gguf"; empty: what the format's readers want
  std::optional<DType> type{};  // f32, f16 or bf16 for everything that may have it
  std::string quant{};          // a target of arch::QuantPolicy, or "pip-int8"; empty: none
  std::vector<arch::QuantOverride> overrides{};  // with `quant`
  std::vector<AdapterFile> adapters{};
  std::string vocab{};  // a vocabulary to put into a GGUF, if it is not found by itself
};

// What happens to one tensor.
struct ConvertedTensor {
  std::string name;      // in the new file
  std::string official;  // of its first part
  arch::WeightClass kind = arch::WeightClass::vector;
  DType from = DType::f32;
  DType to = DType::f32;
  Shape shape;
  std::string why;  // why it has this type, if a choice was made
};

class Conversion {
 public:
  // Reads the header only. Errors: those of opening a model; argument and unsupported (types, names
  // or designs that the format does not hold).
  static Result<Conversion> prepare(const std::filesystem::path& in, ConvertOptions options);

  const std::vector<ConvertedTensor>& tensors() const { return plan_; }
  uint64_t size() const { return size_; }  // of the new file, exactly
  uint64_t source_size() const { return source_->files.total_bytes(); }
  const std::string& title() const { return title_; }  // RWKV-7 "Goose" 0.1B
  const std::vector<std::string>& notes() const { return notes_; }
  // What is read, adapters merged.
  const ModelSource& model() const { return *source_; }
  const io::ModelFiles& source() const { return source_->files; }
  const std::vector<io::ModelFiles>& adapters() const { return source_->adapters; }
  // A config.json to lie beside the new file, for names of Hugging Face programs; else empty.
  const std::string& config() const { return config_; }

  // Errors: those of io::write_model.
  Status write(const std::filesystem::path& out, const io::WriteOptions& options) const;

 private:
  Conversion() = default;
  Status choose_types(const ConvertOptions& options, const arch::Architecture& architecture,
                      std::vector<arch::names::ForeignTensor> tensors);
  // Adds to what the naming says of the model; the embedding has `vocab` rows.
  Status describe(const ConvertOptions& options, int64_t vocab);

  io::WriteFormat format_ = io::WriteFormat::safetensors;
  std::unique_ptr<ModelSource> source_;
  std::vector<io::OutputTensor> outputs_;
  std::vector<ConvertedTensor> plan_;
  Metadata metadata_;
  std::string title_;
  std::string config_;
  std::vector<std::string> notes_;
  uint64_t size_ = 0;
};

}  // namespace skein
