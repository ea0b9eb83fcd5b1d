// A file that is written piece by piece beside its place and takes that place when it is whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace skein {

// Without commit() nothing is left behind: the destructor removes what was written.
class FileWriter {
 public:
  // What is no regular file is never replaced, and a file only with `overwrite`. `bytes`, if it is
  // known, has to be free on the disk. Errors: io.
  static Result<FileWriter> create(const std::filesystem::path& path, uint64_t bytes,
                                   bool overwrite);
  FileWriter(FileWriter&& other) noexcept;
  FileWriter& operator=(FileWriter&&) = delete;
  ~FileWriter();

  Status append(std::span<const std::byte> part);
  // Over bytes that were appended before.
  Status replace(uint64_t at, std::span<const std::byte> part);
  // Syncs and renames: a reader sees the old file or this one.
  Status commit();

 private:
  FileWriter(std::filesystem::path path, bool overwrite);
  Status flush();
  tl::unexpected<Error> error(const char* what) const;

  std::filesystem::path path_;
  bool overwrite_;
  std::string temporary_;  // empty: there is none to be removed
  int fd_ = -1;
  uint64_t written_ = 0;
  std::vector<std::byte> buffer_;  // appended, not yet written
};

}  // namespace skein
