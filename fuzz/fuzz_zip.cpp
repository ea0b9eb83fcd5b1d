// F4: a zip archive. Entries of an accepted one fill the file without sharing a byte, and the
// archive as a checkpoint is answered too.
#include <algorithm>
#include <vector>

#include "fuzz/oracle.h"
#include "io/pth.h"
#include "io/zip.h"

namespace {

using skein::fuzz::require;
using skein::io::ZipEntry;

void check_entries(const skein::io::ZipArchive& archive, std::span<const std::byte> file) {
  std::vector<std::span<const std::byte>> parts;
  std::set<std::string_view> names;
  for (const ZipEntry& entry : archive.entries()) {
    require(names.insert(entry.name).second);
    require(archive.find(entry.name) == &entry);
    require(entry.data.data() >= file.data() &&
            entry.data.data() + entry.data.size() <= file.data() + file.size());
    parts.push_back(entry.data);
  }
  std::sort(parts.begin(), parts.end(),
            [](const auto& a, const auto& b) { return a.data() < b.data(); });
  for (size_t i = 1; i < parts.size(); ++i)
    require(parts[i - 1].data() + parts[i - 1].size() <= parts[i].data());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = skein::fuzz::bytes_of(data, size);
  const auto archive = skein::io::ZipArchive::read(file);
  if (!archive) {
    skein::fuzz::check_error(archive.error());
    return 0;
  }
  check_entries(*archive, file);
  if (const auto status = skein::io::check_zip_entries(*archive); !status)
    skein::fuzz::check_error(status.error());
  skein::fuzz::check_answer(skein::io::read_pth_zip(file), file);
  return 0;
}
