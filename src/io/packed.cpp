#include "io/packed.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/checked.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/reader.h"
#include "io/output_tensor.h"
#include "io/tensor_table.h"

namespace skein::io {
namespace {

using namespace packed;

// The least that a pair and a tensor record take: what bounds their counts before any is read.
constexpr uint64_t kPairBytes = 2 + 1 + 1 + 1;
constexpr uint64_t kTensorBytes = 2 + 1 + 1 + 2 + 1 + 1 + 8 + 8 + 4;
constexpr uint64_t kAllElements = 4 * limits::kArrayElements;

std::optional<DType> dtype_from(std::string_view name) {
  for (int i = 0; i < kDTypes; ++i)
    if (static_cast<DType>(i) != DType::unread && dtype_name(static_cast<DType>(i)) == name)
      return static_cast<DType>(i);
  return std::nullopt;
}

class PackedReader {
 public:
  PackedReader(std::span<const std::byte> file, std::span<const std::byte> header)
      : file_(file), reader_(header), data_(aligned(kHeadBytes + header.size(), kDataAlignment)) {}

  Status read();

  Container container;
  std::vector<uint32_t> checksums;  // of the tensors

 private:
  Status cut_off(std::string_view what) const {
    if (reader_.ok()) return {};
    return fail(Code::corrupt, "the header ends inside {}", what);
  }
  Status metadata_pair();
  Result<MetaValue> value(const std::string& key, uint8_t type);
  template <typename T>
  Result<MetaValue> list(const std::string& key);
  Status strings(const std::string& key, std::vector<std::string>& out);
  Result<uint64_t> list_size(const std::string& key, uint64_t least_bytes);
  Status tensor(TensorTable& table);
  Result<uint64_t> storage_bytes(const StoredTensor& tensor) const;

  std::span<const std::byte> file_;
  Reader reader_;
  uint64_t data_;          // where the next tensor has to stand
  uint64_t elements_ = 0;  // of all lists
};

Result<uint64_t> PackedReader::list_size(const std::string& key, uint64_t least_bytes) {
  const uint64_t count = reader_.u64();
  SK_TRY_STATUS(cut_off("the list " + escaped(key)));
  if (count > reader_.left() / least_bytes)
    return fail(Code::corrupt, "{} claims {} elements, more than there are bytes", escaped(key),
                count);
  elements_ += count;
  if (count > limits::kArrayElements || elements_ > kAllElements)
    return above_limit("elements in " + escaped(key), count, limits::kArrayElements);
  return count;
}

template <typename T>
Result<MetaValue> PackedReader::list(const std::string& key) {
  // A bool stands in one byte, everything else in eight.
  using Stored = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;
  SK_TRY(const uint64_t count, list_size(key, sizeof(Stored)));
  std::vector<T> out;
  out.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    const auto stored = reader_.number<Stored>();
    if (std::is_same_v<T, bool> && stored > 1)
      return fail(Code::corrupt, "{} has a bool of {}", escaped(key), stored);
    out.push_back(static_cast<T>(stored));
  }
  return MetaValue(std::move(out));
}

Status PackedReader::strings(const std::string& key, std::vector<std::string>& out) {
  SK_TRY(const uint64_t count, list_size(key, 4));
  out.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    out.emplace_back(reader_.text(reader_.u32()));
    SK_TRY_STATUS(cut_off("the list " + escaped(key)));
  }
  return {};
}

// The numbers are the places in MetaValue, which the writer asserts.
Result<MetaValue> PackedReader::value(const std::string& key, uint8_t type) {
  switch (type) {
    case 0: {
      const uint8_t flag = reader_.u8();
      if (flag > 1) return fail(Code::corrupt, "{} is a bool of {}", escaped(key), flag);
      return MetaValue(flag == 1);
    }
    case 1: return MetaValue(reader_.i64());
    case 2: return MetaValue(reader_.u64());
    case 3: return MetaValue(reader_.number<double>());
    case 4: return MetaValue(std::string(reader_.text(reader_.u32())));
    case 5: return list<bool>(key);
    case 6: return list<int64_t>(key);
    case 7: return list<uint64_t>(key);
    case 8: return list<double>(key);
    case 9: {
      std::vector<std::string> out;
      SK_TRY_STATUS(strings(key, out));
      return MetaValue(std::move(out));
    }
    default: return fail(Code::corrupt, "{} has the unknown value type {}", escaped(key), type);
  }
}

Status PackedReader::metadata_pair() {
  const std::string key(reader_.text(reader_.u16()));
  const uint8_t type = reader_.u8();
  SK_TRY_STATUS(cut_off("the metadata"));
  SK_TRY_STATUS(check_name("a metadata key", key));
  SK_TRY(MetaValue held, value(key, type));
  SK_TRY_STATUS(cut_off("the value of " + escaped(key)));
  if (!container.metadata.emplace(key, std::move(held)).second)
    return fail(Code::corrupt, "the key {} stands twice", escaped(key));
  return {};
}

Result<uint64_t> PackedReader::storage_bytes(const StoredTensor& tensor) const {
  SK_TRY(const uint64_t bytes, tensor_bytes(tensor.name, tensor.dtype, tensor.shape.axes()));
  if (tensor.layout == Layout::rows) return bytes;
  const auto panels =
      bytes ? panels_bytes(tensor.layout, tensor.dtype, tensor.shape) : std::nullopt;
  if (!panels)
    return fail(Code::corrupt, "tensor {} of {} {} cannot be kept in panels", escaped(tensor.name),
                dtype_name(tensor.dtype), tensor.shape.text());
  return *panels;
}

Status PackedReader::tensor(TensorTable& table) {
  StoredTensor out;
  out.name = reader_.text(reader_.u16());
  const std::string_view type = reader_.text(reader_.u8());
  const uint8_t layout = reader_.u8();
  const uint8_t rank = reader_.u8();
  if (reader_.ok() && rank > limits::kPthAxes)
    return fail(Code::corrupt, "tensor {} has {} axes, the limit is {}", escaped(out.name), rank,
                limits::kPthAxes);
  std::vector<int64_t> axes;
  for (int i = 0; i < rank && reader_.ok(); ++i) axes.push_back(reader_.i64());
  const uint64_t offset = reader_.u64();
  const uint64_t bytes = reader_.u64();
  checksums.push_back(reader_.u32());
  SK_TRY_STATUS(cut_off("a tensor record"));

  const auto dtype = dtype_from(type);
  if (layout > static_cast<uint8_t>(Layout::codes16))
    return fail(Code::unsupported, "tensor {} has layout {}, which is not supported",
                escaped(out.name), layout);
  out.dtype = dtype.value_or(DType::unread);
  if (!dtype) {
    SK_TRY_STATUS(check_name("the type of tensor " + escaped(out.name), type));
    out.unread_type = type;
  }
  out.layout = static_cast<Layout>(layout);
  out.shape = Shape(std::span<const int64_t>(axes));
  SK_TRY(uint64_t expected, storage_bytes(out));
  if (!dtype) expected = bytes;  // nobody knows better
  if (bytes != expected)
    return fail(Code::corrupt, "tensor {} takes {} bytes, its record says {}", escaped(out.name),
                expected, bytes);
  if (offset != data_)
    return fail(Code::corrupt, "tensor {} stands at {}, where the one before it leaves {}",
                escaped(out.name), offset, data_);
  if (offset > file_.size() || bytes > file_.size() - offset)
    return fail(Code::corrupt, "tensor {} takes {} bytes at {} of a file of {}", escaped(out.name),
                bytes, offset, file_.size());
  data_ = aligned(offset + bytes, kTensorAlignment);
  out.strides = out.shape.contiguous_strides();
  out.storage = file_.subspan(offset, bytes);
  if (out.layout != Layout::rows) out.panel_width = out.shape[1];
  return table.add(std::move(out));
}

Status PackedReader::read() {
  container.format = Format::packed;
  container.version = kVersion;
  const uint32_t pairs = reader_.u32();
  const uint32_t tensors = reader_.u32();
  SK_TRY_STATUS(cut_off("its counts"));
  if (pairs > limits::kMetadataKeys)
    return above_limit("metadata pairs", pairs, limits::kMetadataKeys);
  if (tensors > limits::kTensors) return above_limit("tensors", tensors, limits::kTensors);
  if (pairs * kPairBytes + tensors * kTensorBytes > reader_.left())
    return fail(Code::corrupt, "{} pairs and {} tensors claimed, more than {} bytes can hold",
                pairs, tensors, reader_.left());
  for (uint32_t i = 0; i < pairs; ++i) SK_TRY_STATUS(metadata_pair());
  TensorTable table;
  for (uint32_t i = 0; i < tensors; ++i) SK_TRY_STATUS(tensor(table));
  if (reader_.left() > 0)
    return fail(Code::corrupt, "{} bytes of the header belong to nothing", reader_.left());
  if (file_.size() != data_)
    return fail(Code::corrupt, "the tensors end at {}, the file at {}", data_, file_.size());
  container.tensors = std::move(table).take();
  return {};
}

// The header, once it is known to be what was written.
Result<std::span<const std::byte>> header_of(std::span<const std::byte> file) {
  Reader head(file);
  head.skip(kMagic.size());
  const uint32_t version = head.u32();
  const uint32_t flags = head.u32();
  const uint64_t header_bytes = head.u64();
  const uint64_t file_bytes = head.u64();
  const auto digest = head.bytes(sizeof(Digest));
  if (!head.ok()) return fail(Code::corrupt, "{} bytes are too short for its head", file.size());
  if (version != kVersion)
    return fail(Code::unsupported, "packed version {}, only {} is supported; convert it again",
                version, kVersion);
  if (flags != 0)
    return fail(Code::unsupported, "packed flags {:#x}, which are not supported", flags);
  if (file_bytes != file.size())
    return fail(Code::corrupt, "{} bytes long, its head says {}", file.size(), file_bytes);
  if (header_bytes > head.left())
    return fail(Code::corrupt, "the header of {} bytes exceeds the file of {}", header_bytes,
                file.size());
  if (header_bytes > limits::kHeaderBytes)
    return fail(Code::unsupported, "the header is too large: {} bytes, the limit is {}",
                header_bytes, limits::kHeaderBytes);
  const auto header = head.bytes(header_bytes);
  Sha256 hash;
  hash.update(file.first(kHashedHead));
  hash.update(header);
  const Digest found = hash.finish();
  if (!std::equal(found.begin(), found.end(), digest.begin()))
    return fail(Code::corrupt, "the header does not have its checksum");
  return header;
}

}  // namespace

bool is_packed(std::span<const std::byte> file) {
  return file.size() >= kMagic.size() &&
         std::memcmp(file.data(), kMagic.data(), kMagic.size()) == 0;
}

Result<Container> read_packed(std::span<const std::byte> file) {
  SK_TRY(const auto header, header_of(file));
  PackedReader reader(file, header);
  SK_TRY_STATUS(reader.read());
  return std::move(reader.container);
}

Status verify_packed(std::span<const std::byte> file) {
  SK_TRY(const auto header, header_of(file));
  PackedReader reader(file, header);
  SK_TRY_STATUS(reader.read());
  for (size_t i = 0; i < reader.checksums.size(); ++i) {
    const StoredTensor& tensor = reader.container.tensors[i];
    if (const uint32_t crc = crc32(tensor.storage); crc != reader.checksums[i])
      return fail(Code::corrupt, "tensor {} has CRC {:08x}, its record says {:08x}",
                  escaped(tensor.name), crc, reader.checksums[i]);
  }
  return {};
}

}  // namespace skein::io
