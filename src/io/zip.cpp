#include "io/zip.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/hash.h"
#include "base/limits.h"
#include "base/reader.h"
#include "io/tensor_table.h"

namespace skein::io {
namespace {

constexpr uint32_t kLocalMark = 0x04034b50;
constexpr uint32_t kCentralMark = 0x02014b50;
constexpr uint32_t kEndMark = 0x06054b50;
constexpr uint32_t kEnd64Mark = 0x06064b50;
constexpr uint32_t kLocator64Mark = 0x07064b50;
constexpr uint32_t kDescriptorMark = 0x08074b50;

constexpr size_t kCentralBytes = 46;
constexpr size_t kLocalBytes = 30;
constexpr size_t kEndBytes = 22;
constexpr size_t kEnd64Bytes = 56;
constexpr size_t kLocator64Bytes = 20;
constexpr size_t kCommentMax = 65535;

constexpr uint16_t kEncrypted = 1 << 0;
constexpr uint16_t kDescriptorFollows = 1 << 3;  // sizes and CRC stand behind the data
// Bits 1 and 2 are hints of a compressor and bit 11 says that names are UTF-8.
constexpr uint16_t kKnownFlags = 0b0110 | kDescriptorFollows | 1 << 11;

constexpr uint16_t kZip64Extra = 0x0001;
constexpr uint16_t kUnicodePathExtra = 0x7075;
constexpr uint32_t kSaturated32 = 0xffffffff;
constexpr uint16_t kSaturated16 = 0xffff;

// A storage for every tensor, and torch's own handful of records.
constexpr uint64_t kMaxEntries = limits::kTensors + 64;

// Where the directory lies, from the end record or its 64-bit version.
struct Directory {
  uint64_t entries = 0;
  uint64_t size = 0;
  uint64_t offset = 0;
  uint64_t end = 0;  // where the end records begin
};

// A central record, before its local header has been compared with it.
struct Central {
  ZipEntry entry;
  uint16_t flags = 0;
  uint16_t method = 0;
  uint64_t size = 0;
  uint64_t local_offset = 0;
};

struct Extra {
  std::optional<std::span<const std::byte>> zip64;
};

uint32_t mark_at(std::span<const std::byte> file, uint64_t at) {
  Reader reader(file);
  reader.seek(at);
  return reader.u32();
}

// The end record is the only one whose comment ends with the file. A second candidate would let
// two readers choose differently.
Result<uint64_t> find_end(std::span<const std::byte> file) {
  std::optional<uint64_t> found;
  const size_t reach = std::min(file.size(), kEndBytes + kCommentMax);
  for (size_t at = file.size() - reach; at + kEndBytes <= file.size(); ++at) {
    if (file[at] != std::byte{'P'} || mark_at(file, at) != kEndMark) continue;
    uint16_t comment = 0;
    std::memcpy(&comment, file.data() + at + kEndBytes - 2, sizeof(comment));
    if (at + kEndBytes + comment != file.size()) continue;
    if (found) return fail(Code::corrupt, "the zip archive has two end records");
    found = at;
  }
  if (!found) return fail(Code::corrupt, "not a complete zip archive: the end record is missing");
  return *found;
}

// The 64-bit numbers replace the saturated ones and have to repeat the others.
Status read_end64(std::span<const std::byte> file, uint64_t end, Directory& directory) {
  Reader locator(file.first(end));
  locator.seek(end - kLocator64Bytes + 4);
  const uint32_t disk = locator.u32();
  const uint64_t at = locator.u64();
  const uint32_t disks = locator.u32();
  if (disk != 0 || disks > 1) return fail(Code::unsupported, "a zip archive in several parts");

  Reader record(file.first(end - kLocator64Bytes));
  record.seek(at);
  const uint32_t mark = record.u32();
  const uint64_t size = record.u64();
  record.skip(4);  // versions
  const uint32_t this_disk = record.u32();
  const uint32_t start_disk = record.u32();
  const uint64_t entries_here = record.u64();
  const Directory wide{
      .entries = record.u64(), .size = record.u64(), .offset = record.u64(), .end = at};
  if (!record.ok() || mark != kEnd64Mark || size < kEnd64Bytes - 12 ||
      size != end - kLocator64Bytes - at - 12)
    return fail(Code::corrupt, "the zip64 end record is not where its locator points");
  if (this_disk != 0 || start_disk != 0 || entries_here != wide.entries)
    return fail(Code::unsupported, "a zip archive in several parts");
  const auto agrees = [](uint64_t narrow, uint64_t saturated, uint64_t value) {
    return narrow == saturated || narrow == value;
  };
  if (!agrees(directory.entries, kSaturated16, wide.entries) ||
      !agrees(directory.size, kSaturated32, wide.size) ||
      !agrees(directory.offset, kSaturated32, wide.offset))
    return fail(Code::corrupt, "the end record and the zip64 end record disagree");
  directory = wide;
  return {};
}

Result<Directory> read_end(std::span<const std::byte> file) {
  SK_TRY(const uint64_t at, find_end(file));
  Reader reader(file);
  reader.seek(at + 4);
  const uint16_t disk = reader.u16();
  const uint16_t start_disk = reader.u16();
  const uint16_t entries_here = reader.u16();
  Directory out;
  out.entries = reader.u16();
  out.size = reader.u32();
  out.offset = reader.u32();
  out.end = at;
  if (disk != 0 || start_disk != 0 || entries_here != out.entries)
    return fail(Code::unsupported, "a zip archive in several parts");
  const bool wide = at >= kLocator64Bytes && mark_at(file, at - kLocator64Bytes) == kLocator64Mark;
  if (wide) SK_TRY_STATUS(read_end64(file, at, out));

  if (out.offset > out.end || out.size > out.end - out.offset)
    return fail(Code::corrupt, "the zip directory reaches past its end record");
  if (out.size < out.end - out.offset) {
    if (mark_at(file, out.offset + out.size) == kEndMark)
      return fail(Code::corrupt, "the zip archive has two end records");
    return fail(Code::corrupt, "{} bytes stand between the zip directory and its end record",
                out.end - out.offset - out.size);
  }
  if (out.entries > out.size / kCentralBytes)
    return fail(Code::corrupt, "the zip directory of {} bytes cannot hold {} entries", out.size,
                out.entries);
  if (out.entries > kMaxEntries) return above_limit("zip entries", out.entries, kMaxEntries);
  return out;
}

Result<Extra> read_extra(std::string_view name, std::span<const std::byte> bytes) {
  Extra out;
  Reader reader(bytes);
  while (reader.ok() && reader.left() > 0) {
    const uint16_t id = reader.u16();
    const auto field = reader.bytes(reader.u16());
    if (!reader.ok()) break;
    if (id == kUnicodePathExtra)
      return fail(Code::unsupported, "zip entry {} has a second name", escaped(name));
    if (id != kZip64Extra) continue;
    if (out.zip64) return fail(Code::corrupt, "zip entry {} has two zip64 fields", escaped(name));
    out.zip64 = field;
  }
  if (!reader.ok())
    return fail(Code::corrupt, "zip entry {} has an extra field that does not end", escaped(name));
  return out;
}

// Nothing is ever unpacked to a path; a name like these is the mark of a hostile file.
Status check_entry_name(std::string_view name) {
  SK_TRY_STATUS(check_name("a zip entry", name));
  const bool escapes = name.starts_with('/') || name.find('\\') != name.npos || name == ".." ||
                       name.starts_with("../") || name.ends_with("/..") ||
                       name.find("/../") != name.npos;
  if (escapes)
    return fail(Code::corrupt, "zip entry {} has a name that leaves the archive", escaped(name));
  return {};
}

Result<Central> read_central(Reader& reader) {
  Central out;
  const uint32_t mark = reader.u32();
  reader.skip(4);  // versions
  out.flags = reader.u16();
  out.method = reader.u16();
  reader.skip(4);  // time and date
  out.entry.crc = reader.u32();
  uint64_t compressed = reader.u32();
  out.size = reader.u32();
  const uint16_t name_bytes = reader.u16();
  const uint16_t extra_bytes = reader.u16();
  const uint16_t comment_bytes = reader.u16();
  const uint16_t disk = reader.u16();
  reader.skip(6);  // attributes
  out.local_offset = reader.u32();
  out.entry.name = reader.text(name_bytes);
  const auto extra_field = reader.bytes(extra_bytes);
  reader.skip(comment_bytes);
  if (!reader.ok() || mark != kCentralMark)
    return fail(Code::corrupt, "the zip directory ends before its last entry");
  SK_TRY_STATUS(check_entry_name(out.entry.name));
  const std::string name = escaped(out.entry.name);
  if (disk != 0) return fail(Code::unsupported, "a zip archive in several parts");

  SK_TRY(const Extra extra, read_extra(out.entry.name, extra_field));
  Reader wide(extra.zip64.value_or(std::span<const std::byte>{}));
  for (uint64_t* number : {&out.size, &compressed, &out.local_offset})
    if (*number == kSaturated32) *number = wide.u64();
  if (!wide.ok()) return fail(Code::corrupt, "zip entry {} lacks its zip64 sizes", name);

  if (out.flags & kEncrypted) return fail(Code::unsupported, "zip entry {} is encrypted", name);
  if (out.flags & ~kKnownFlags)
    return fail(Code::unsupported, "zip entry {} has flags {:#06x}, which are not supported", name,
                out.flags);
  if (out.method != 0)
    return fail(Code::unsupported,
                "zip entry {} is compressed (method {}); save the model again with torch.save",
                name, out.method);
  if (compressed != out.size)
    return fail(Code::corrupt, "zip entry {} is stored, but has sizes {} and {}", name, compressed,
                out.size);
  return out;
}

// Whether the bytes behind an entry's data are a data descriptor that repeats the directory. Its
// mark is optional and its sizes have 32 or 64 bits, which only its length tells.
bool is_descriptor(std::span<const std::byte> bytes, const Central& central) {
  Reader reader(bytes);
  const bool wide = bytes.size() == 20 || bytes.size() == 24;
  const bool marked = bytes.size() == 16 || bytes.size() == 24;
  if (!wide && !marked && bytes.size() != 12) return false;
  if (marked && reader.u32() != kDescriptorMark) return false;
  if (reader.u32() != central.entry.crc) return false;
  const uint64_t compressed = wide ? reader.u64() : reader.u32();
  const uint64_t size = wide ? reader.u64() : reader.u32();
  return compressed == central.size && size == central.size;
}

// Compares a local header with its central record and sets the entry's data. `slot` is what
// belongs to the entry: from its header to the next header or the directory.
Status read_local(std::span<const std::byte> slot, Central& central) {
  const std::string name = escaped(central.entry.name);
  Reader reader(slot);
  const uint32_t mark = reader.u32();
  reader.skip(2);  // version
  const uint16_t flags = reader.u16();
  const uint16_t method = reader.u16();
  reader.skip(4);  // time and date
  const uint32_t crc = reader.u32();
  const uint32_t compressed = reader.u32();
  const uint32_t size = reader.u32();
  const uint16_t name_bytes = reader.u16();
  const uint16_t extra_bytes = reader.u16();
  const std::string_view local_name = reader.text(name_bytes);
  const auto extra_field = reader.bytes(extra_bytes);
  if (!reader.ok() || mark != kLocalMark)
    return fail(Code::corrupt, "zip entry {} has no local header where the directory says", name);
  if (local_name != central.entry.name)
    return fail(Code::corrupt, "zip entry {} is called {} in its local header", name,
                escaped(local_name));
  if (flags != central.flags || method != central.method)
    return fail(Code::corrupt,
                "zip entry {}: flags or method of the local header are not the directory's", name);
  SK_TRY(const Extra extra, read_extra(central.entry.name, extra_field));
  Reader wide(extra.zip64.value_or(std::span<const std::byte>{}));
  const uint64_t local_size = size == kSaturated32 ? wide.u64() : size;
  const uint64_t local_compressed = compressed == kSaturated32 ? wide.u64() : compressed;
  const bool streamed = flags & kDescriptorFollows;
  const auto agrees = [streamed](uint64_t local, uint64_t directory) {
    return local == directory || (streamed && local == 0);
  };
  if (!wide.ok() || !agrees(crc, central.entry.crc) || !agrees(local_size, central.size) ||
      !agrees(local_compressed, central.size))
    return fail(Code::corrupt,
                "zip entry {}: size or CRC of the local header are not the directory's", name);

  central.entry.data = reader.bytes(central.size);
  if (!reader.ok())
    return fail(Code::corrupt, "zip entry {} overlaps what follows it: {} bytes at {} of {}", name,
                central.size, slot.size() - reader.left(), slot.size());
  const auto rest = slot.subspan(reader.offset());
  if (streamed ? !is_descriptor(rest, central) : !rest.empty())
    return fail(Code::corrupt, "{} bytes behind zip entry {} belong to no entry", rest.size(),
                name);
  return {};
}

// The entries, by where they stand, have to fill the file from its first byte to the directory.
Status read_locals(std::span<const std::byte> file, const Directory& directory,
                   std::vector<Central>& centrals) {
  std::vector<Central*> order;
  for (Central& central : centrals) order.push_back(&central);
  std::sort(order.begin(), order.end(),
            [](const Central* a, const Central* b) { return a->local_offset < b->local_offset; });
  if (!order.empty() && order[0]->local_offset != 0)
    return fail(Code::corrupt, "{} bytes before the first zip entry belong to no entry",
                order[0]->local_offset);
  for (size_t i = 0; i < order.size(); ++i) {
    const uint64_t begin = order[i]->local_offset;
    const bool last = i + 1 == order.size();
    const uint64_t end = last ? directory.offset : order[i + 1]->local_offset;
    if (begin + kLocalBytes > end)
      return fail(Code::corrupt, "zip entry {} overlaps {}", escaped(order[i]->entry.name),
                  last ? "the directory" : "the next entry");
    SK_TRY_STATUS(read_local(file.subspan(begin, end - begin), *order[i]));
  }
  return {};
}

}  // namespace

Result<ZipArchive> ZipArchive::read(std::span<const std::byte> file) {
  SK_TRY(const Directory directory, read_end(file));
  Reader reader(file.subspan(directory.offset, directory.size));
  std::vector<Central> centrals;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    SK_TRY(const Central central, read_central(reader));
    if (central.local_offset >= directory.offset)
      return fail(Code::corrupt, "zip entry {} lies outside the archive's data",
                  escaped(central.entry.name));
    centrals.push_back(central);
  }
  if (reader.left() > 0)
    return fail(Code::corrupt, "{} bytes of the zip directory belong to no entry", reader.left());
  SK_TRY_STATUS(read_locals(file, directory, centrals));

  ZipArchive out;
  for (Central& central : centrals) {
    if (!out.by_name_.emplace(central.entry.name, out.entries_.size()).second)
      return fail(Code::corrupt, "the zip archive has two entries named {}",
                  escaped(central.entry.name));
    out.entries_.push_back(central.entry);
  }
  if (out.entries_.empty() && directory.offset != 0)
    return fail(Code::corrupt, "{} bytes of the zip archive belong to no entry", directory.offset);
  return out;
}

const ZipEntry* ZipArchive::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &entries_[found->second];
}

Status check_crc(const ZipEntry& entry) {
  const uint32_t crc = crc32(entry.data);
  if (crc == entry.crc) return {};
  return fail(Code::corrupt, "zip entry {} has CRC {:08x}, the directory says {:08x}",
              escaped(entry.name), crc, entry.crc);
}

Status check_zip_entries(const ZipArchive& archive) {
  for (const ZipEntry& entry : archive.entries()) SK_TRY_STATUS(check_crc(entry));
  return {};
}

}  // namespace skein::io
