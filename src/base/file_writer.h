// A file that is written piece by piece beside its place and takes that place when it is whole. A
// pipe, a device or an open descriptor is written straight through.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/leftovers.h"
#include "base/output_place.h"

namespace skein {

// What becomes of a file that is there already.
enum class Existing : uint8_t {
  keep,     // it stays, and writing is an error
  replace,  // unless it is write-protected
  force,    // whatever it is
};

struct OutputOptions {
  uint64_t bytes = 0;  // if known, they have to be free on the disk
  Existing existing = Existing::replace;
  // What this process has mapped or remembers as an input stays (base/inputs.h): that is hardly
  // meant as an output. What an open descriptor leads to always does.
  bool spare_inputs = false;
  mode_t mode = 0666;  // of a new file, less the umask; one that is replaced keeps its own
  // As on file systems that know no files without a name. For tests, which have one that does.
  bool named = false;
};

// Where a name leads is output_place.h's: links are followed and stay, and only a regular file is
// ever replaced. Of a file with several hard links the others keep what they hold.
//
// Without commit() nothing is left behind: the file has no name before, where the file system can
// do that; elsewhere the destructor and remove_leftovers() take it away. What a pipe or a device
// was given stays given.
class FileWriter {
 public:
  // Errors: io.
  static Result<FileWriter> create(const std::filesystem::path& path, const OutputOptions& options);
  FileWriter(FileWriter&&) noexcept = default;
  FileWriter& operator=(FileWriter&&) = delete;
  ~FileWriter();

  // Bytes leave for good, so that replace() is not to be called.
  bool is_stream() const { return place_.kind != OutputPlace::Kind::file; }

  Status append(std::span<const std::byte> part);
  // Over bytes that were appended before.
  Status replace(uint64_t at, std::span<const std::byte> part);
  // What was appended is on the disk, which then cannot be too full for it.
  Status sync();
  // Syncs and renames: a reader sees the old file or this one.
  Status commit();

 private:
  FileWriter(std::filesystem::path path, OutputPlace place, const OutputOptions& options);
  Status check_existing() const;
  Status check_inputs() const;
  Status check_space() const;
  Status open();
  Status open_named();
  Status flush();
  Status write(std::span<const std::byte> part, const uint64_t* at);
  Status take_over_mode();
  Status name_it(bool may_replace);
  Status put_in_place();
  tl::unexpected<Error> error(const char* what) const;

  std::filesystem::path path_;  // as it was given, for messages
  OutputPlace place_;
  OutputOptions options_;
  Descriptor file_;
  std::string temporary_;  // the name it has until commit(); empty: none
  Leftover leftover_;
  uint64_t written_ = 0;
  std::vector<std::byte> buffer_;  // appended, not yet written
};

}  // namespace skein
