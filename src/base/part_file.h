// A file that comes in several runs of a program: what has come stays beside its place under a name
// of its own, and takes the place when it is whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/output_place.h"

namespace skein {

// "model.pth.3f09a1b2c4d5e6f7.part", where what stands before .part says what the bytes belong to:
// with another tag it is another file, so nothing has to be kept beside it. One process at a time
// has it.
class PartFile {
 public:
  // Follows links, as every output does (base/output_place.h). `tag`: hexadecimal digits, or empty.
  // Errors: io (another process has it; it cannot be written).
  static Result<PartFile> open(const std::filesystem::path& target, std::string_view tag);
  PartFile(PartFile&&) noexcept = default;
  PartFile& operator=(PartFile&&) = delete;
  ~PartFile();  // one without a byte is removed

  uint64_t size() const { return size_; }
  std::filesystem::path path() const { return path_; }  // where it really lies
  // Bytes that may still be written to its disk; nothing if unknown.
  std::optional<uint64_t> room() const;

  // Hands out what is there, in pieces, until `take` says that it is enough. Error: io.
  Status read(const std::function<bool(std::span<const std::byte>)>& take) const;
  // Error: io; what was written before stays.
  Status append(std::span<const std::byte> bytes);
  // Nothing is there any more. Error: io.
  Status restart();
  // Syncs and renames. A file that is there already stays, unless `replace`. Error: io.
  Status commit(bool replace);
  void remove();

 private:
  PartFile(std::filesystem::path path, OutputPlace place, std::string name)
      : path_(std::move(path)), place_(std::move(place)), name_(std::move(name)) {}
  Status lock();
  tl::unexpected<Error> error(const char* what) const;

  std::filesystem::path path_;  // of the part
  OutputPlace place_;           // of the target
  std::string name_;            // of the part, in the same folder
  Descriptor file_;
  uint64_t size_ = 0;
};

// Removes a part, which nobody may be fetching. How many bytes that frees. Error: io (another
// process has it; it cannot be removed).
Result<uint64_t> remove_part(const std::filesystem::path& part);

// Of "model.pth.3f09a1b2c4d5e6f7.part" and "model.pth.part" the target's name; of other names
// nothing.
std::optional<std::string_view> target_of_part(std::string_view name);

}  // namespace skein
