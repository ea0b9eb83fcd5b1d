// Files: mapped for reading, replaced whole when writing.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace skein {

// A regular file mapped read-only. The mapping survives the file's shortening: pages that vanish
// read as zeros and intact() turns false, where other programs die of SIGBUS.
class File {
 public:
  // Errors: io (cannot be opened), unsupported (not a regular file), corrupt (empty), memory.
  static Result<File> map(const std::filesystem::path& path);

  File(File&&) noexcept;
  File& operator=(File&&) noexcept;
  ~File();

  std::span<const std::byte> bytes() const;
  const std::filesystem::path& path() const;
  std::string name() const;  // the path as it was given, escaped, for messages

  // False once the file was seen to be shorter than when it was mapped.
  bool intact() const;

  // Tells the kernel that `part` (a piece of bytes()) will not be read again soon, so that a
  // load's peak memory is the packed weights and not those plus the whole file.
  void drop(std::span<const std::byte> part) const;

  // Tells it that all of the file is read again and again, which is fastest from huge pages. To be
  // said before anything is read: what is in memory already stays as it is.
  void read_often() const;

  // Tells it that single places of `part` are read, which are not to bring two megabytes each with
  // them, as they do where the page cache holds huge pages.
  void read_in_places(std::span<const std::byte> part) const;

 private:
  struct Mapping;
  explicit File(std::unique_ptr<Mapping> mapping);
  std::unique_ptr<Mapping> mapping_;
};

// The whole of a regular file of at most `limit_bytes`.
Result<std::vector<std::byte>> read_file(const std::filesystem::path& path, uint64_t limit_bytes);

// The names in a folder, in no order, at most so many. std::filesystem's iterators end the program
// where memory runs out. Error: io.
Result<std::vector<std::string>> names_in(const std::filesystem::path& folder, size_t most);

// Writes beside the place that `path` leads to, syncs, renames: a reader sees the old file or the
// new one, and a full disk leaves the old one. Links, devices and what is never replaced:
// file_writer.h. Errors: io.
struct OutputOptions;
Status write_file(const std::filesystem::path& path,
                  std::span<const std::span<const std::byte>> parts);
Status write_file(const std::filesystem::path& path,
                  std::span<const std::span<const std::byte>> parts, const OutputOptions& options);

}  // namespace skein
