// A reader for the zip archives that torch.save writes: stored entries only. It is ours because the
// published holes are disagreements between two readers; this one accepts an archive only if the
// central directory, the local headers and the order of the bytes all tell the same story.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"

namespace skein::io {

struct ZipEntry {
  std::string_view name;
  uint32_t crc = 0;
  std::span<const std::byte> data;
};

class ZipArchive {
 public:
  // Views into `file`. Nothing of the entries' data is read.
  static Result<ZipArchive> read(std::span<const std::byte> file);

  std::span<const ZipEntry> entries() const { return entries_; }
  const ZipEntry* find(std::string_view name) const;

 private:
  std::vector<ZipEntry> entries_;  // in the directory's order
  std::unordered_map<std::string_view, size_t> by_name_;
};

// Error: corrupt, if the entry's bytes do not have the checksum the archive gives.
Status check_crc(const ZipEntry& entry);
Status check_zip_entries(const ZipArchive& archive);

}  // namespace skein::io
