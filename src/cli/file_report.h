// What a file is, found out without loading or running it: what `skein inspect` shows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "arch/architecture.h"
#include "base/error.h"
#include "run/opening.h"
#include "run/state_file.h"

namespace skein::cli {

enum class FileKind {
  model,        // of a design that we know, whether it runs or not
  state,        // of Skein's own format
  full_state,   // a list of tensors, as the `rwkv` package saves it
  tuned_state,  // time_state tensors
  adapter,
  container,  // well formed, and none of the above
};
const char* file_kind_name(FileKind kind);

// A share of the tensors.
struct Share {
  int64_t tensors = 0;
  int64_t elements = 0;
  int64_t bytes = 0;
};

struct TensorRow {
  std::string name;
  std::string dtype;
  Shape shape;
  int64_t bytes = 0;
  int64_t not_finite = 0;  // after a check
  bool read = false;       // by the check: types that cannot be decoded are not
};

struct FileReport {
  std::string path;
  uint64_t file_bytes = 0;
  FileKind kind = FileKind::container;
  std::string format;  // "GGUF", "Skein state"
  int version = 0;
  std::string title;  // RWKV-7 "Goose" 0.1B, or what else it is
  std::vector<std::string> notes;
  std::vector<TensorRow> tensors;
  std::map<std::string, Share> by_dtype;
  int64_t parameters = 0;

  // Of a model that we can run, and the classes of its weight list.
  struct Runnable {
    ModelInfo info;
    MemoryEstimate memory;
  };
  std::optional<Runnable> model;
  std::vector<std::pair<std::string, Share>> by_class;
  std::string tokenizer;           // "World, 65530 ids"
  std::string tokenizer_problem;   // why there is none
  std::optional<Error> too_large;  // for this process's memory

  std::optional<SavedState> state;

  // What keeps it from being used, if anything.
  std::optional<Error> obstacle;

  // After a check: how many tensors were read, and those with numbers that are not finite are in
  // `tensors`.
  bool checked = false;
};

// Reads the header, and with `check` every byte. Errors: those of reading the file; what keeps a
// well-formed file from running is no error but FileReport::obstacle. `progress` gets bytes done
// and in all.
Result<FileReport> report_file(const std::filesystem::path& path, bool check,
                               const std::function<void(int64_t, int64_t)>& progress);

}  // namespace skein::cli
