// Whatever a user names as a model: one file of any known kind, a folder as Hugging Face publishes
// them, or the index of one. Untrusted bytes stop here, as in container.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "tensor/stored.h"

namespace skein::io {

// The mapped files of a model and what stands in them, as one container.
//
// Of a folder are read: model.safetensors.index.json or pytorch_model.bin.index.json with the
// shards that it names, or model.safetensors, or pytorch_model.bin, or else the only file whose
// name ends like a model's; and config.json, if there is one.
// The first part of a split GGUF (name-00001-of-0000N.gguf) brings the others.
//
// Metadata gets the members of config.json as "config.<name>": strings, numbers and booleans, and
// lists of integers or of strings. Nested objects, nulls and other lists are left out.
class ModelFiles {
 public:
  // Errors: io (a file cannot be opened); corrupt, unsupported, mismatch (a file, or files that
  // contradict each other: a tensor that is not in the shard where the index places it).
  static Result<ModelFiles> open(const std::filesystem::path& path);

  // The tensors are views into the files, and live as long as this does.
  const Container& container() const { return container_; }

  const std::filesystem::path& path() const { return path_; }  // as it was given
  std::string name() const;         // the path as it was given, escaped, for messages
  std::string description() const;  // "GGUF", "safetensors, 3 shards"
  // Where config.json and tokenizer.json of this model lie; empty for a single file.
  const std::filesystem::path& folder() const { return folder_; }

  std::span<const File> files() const { return files_; }
  uint64_t total_bytes() const;

  // Those of base/file.h, for all the files.
  bool intact() const;
  void drop(std::span<const std::byte> part) const;
  void read_in_places(std::span<const std::byte> part) const;

  // What opening leaves out because it would touch every byte: the checksums.
  Status verify() const;

 private:
  ModelFiles() = default;
  Status read_all();
  Status read_folder();
  Status read_index(const std::filesystem::path& index);
  Status read_config();
  Status read_parts(uint64_t count);
  // Maps one more file and reads it into the container.
  Status add(const std::filesystem::path& file, Result<Container> (*read)(const File&));
  // The file that `part` lies in; nullptr for what is in none.
  const File* file_of(std::span<const std::byte> part) const;

  std::filesystem::path path_;
  std::filesystem::path folder_;
  std::vector<File> files_;
  Container container_;
};

}  // namespace skein::io
