#include "io/zip_writer.h"

#include "base/hash.h"

namespace skein::io {
namespace {

constexpr uint64_t kDataAlignment = 64;
constexpr uint64_t kLocalBytes = 30;
constexpr uint64_t kCrcInLocal = 14;
constexpr uint64_t kExtraHead = 4;
constexpr uint32_t kWide32 = UINT32_MAX;  // "look into the zip64 record"
constexpr uint16_t kWide16 = UINT16_MAX;
constexpr uint16_t kZip64Extra = 1;
constexpr uint16_t kPlainVersion = 20;
constexpr uint16_t kZip64Version = 45;

// What the local header and the directory have in common.
void common_fields(Bytes& out, bool zip64, uint32_t crc, uint32_t size, size_t name, size_t extra) {
  out.number(zip64 ? kZip64Version : kPlainVersion);
  out.number(uint16_t{0});   // flags
  out.number(uint16_t{0});   // stored
  out.number(uint16_t{0});   // time
  out.number(uint16_t{33});  // date: 1980-01-01, so that equal tensors give equal files
  out.number(crc);
  out.number(size);  // compressed
  out.number(size);
  out.number(static_cast<uint16_t>(name));
  out.number(static_cast<uint16_t>(extra));
}

}  // namespace

Status ZipWriter::add(std::string_view name, std::span<const std::byte> data) {
  return add(name, data.size(), [&]() -> Result<uint32_t> {
    SK_TRY_STATUS(sink_.append(data));
    return crc32(data);
  });
}

Status ZipWriter::add(std::string_view name, uint64_t size,
                      const std::function<Result<uint32_t>()>& data) {
  const uint64_t offset = sink_.at();
  const bool wide_size = wide(size), wide_offset = wide(offset);
  const uint32_t short_size = wide_size ? kWide32 : static_cast<uint32_t>(size);

  Bytes local_extra;
  if (wide_size) {
    local_extra.number(kZip64Extra);
    local_extra.number(uint16_t{16});
    local_extra.number(size);
    local_extra.number(size);
  }
  const uint64_t begin = offset + kLocalBytes + name.size() + local_extra.size() + kExtraHead;
  const uint64_t padding = (kDataAlignment - begin % kDataAlignment) % kDataAlignment;
  local_extra.text("FB");
  local_extra.number(static_cast<uint16_t>(padding));
  local_extra.fill(padding, 'Z');

  Bytes local;
  local.text(std::string_view("PK\3\4", 4));
  common_fields(local, wide_size, 0, short_size, name.size(), local_extra.size());
  local.text(name);
  local.append(local_extra.view());
  SK_TRY_STATUS(sink_.append(local));
  SK_TRY(const uint32_t crc, data());
  SK_TRY_STATUS(sink_.replace(offset + kCrcInLocal, std::as_bytes(std::span(&crc, 1))));

  Bytes extra;
  if (wide_size || wide_offset) {
    extra.number(kZip64Extra);
    extra.number(static_cast<uint16_t>(8 * (2 * wide_size + wide_offset)));
    if (wide_size) extra.number(size);
    if (wide_size) extra.number(size);
    if (wide_offset) extra.number(offset);
  }
  const bool zip64 = extra.size() > 0;
  directory_.text(std::string_view("PK\1\2", 4));
  directory_.number(zip64 ? kZip64Version : kPlainVersion);  // made by
  common_fields(directory_, zip64, crc, short_size, name.size(), extra.size());
  directory_.number(uint16_t{0});  // comment
  directory_.number(uint16_t{0});  // disk
  directory_.number(uint16_t{0});  // attributes
  directory_.number(uint32_t{0});
  directory_.number(wide_offset ? kWide32 : static_cast<uint32_t>(offset));
  directory_.text(name);
  directory_.append(extra.view());
  ++entries_;
  return {};
}

Status ZipWriter::finish() {
  const uint64_t offset = sink_.at(), size = directory_.size();
  const bool zip64 = wide(offset) || wide(size) || entries_ >= kWide16;
  Bytes end;
  if (zip64) {
    constexpr uint64_t kRecordBytes = 44;  // behind this number
    end.text(std::string_view("PK\6\6", 4));
    end.number(kRecordBytes);
    end.number(kZip64Version);
    end.number(kZip64Version);
    end.number(uint32_t{0});  // disks
    end.number(uint32_t{0});
    end.number(entries_);
    end.number(entries_);
    end.number(size);
    end.number(offset);
    end.text(std::string_view("PK\6\7", 4));
    end.number(uint32_t{0});
    end.number(offset + size);
    end.number(uint32_t{1});
  }
  const auto entries = static_cast<uint16_t>(entries_ >= kWide16 ? kWide16 : entries_);
  end.text(std::string_view("PK\5\6\0\0\0\0", 8));
  end.number(entries);
  end.number(entries);
  end.number(wide(size) ? kWide32 : static_cast<uint32_t>(size));
  end.number(wide(offset) ? kWide32 : static_cast<uint32_t>(offset));
  end.number(uint16_t{0});  // comment
  SK_TRY_STATUS(sink_.append(directory_));
  return sink_.append(end);
}

}  // namespace skein::io
