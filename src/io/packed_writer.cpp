#include <algorithm>
#include <type_traits>

#include "base/hash.h"
#include "base/limits.h"
#include "io/output_tensor.h"
#include "io/packed.h"
#include "io/tensor_table.h"
#include "io/writers.h"

namespace skein::io {
namespace {

using namespace packed;

static_assert(std::variant_size_v<MetaVariant> == 10, "a new kind of value needs a reader");

void write_text(Bytes& out, const std::string& text) {
  out.number(static_cast<uint32_t>(text.size()));
  out.text(text);
}

// std::vector<bool> gives no element by reference, hence by value.
void write_value(Bytes& out, bool value) { out.number(static_cast<uint8_t>(value)); }
void write_value(Bytes& out, int64_t value) { out.number(value); }
void write_value(Bytes& out, uint64_t value) { out.number(value); }
void write_value(Bytes& out, double value) { out.number(value); }
void write_value(Bytes& out, const std::string& value) { write_text(out, value); }
template <typename T>
void write_value(Bytes& out, const std::vector<T>& values) {
  out.number(uint64_t{values.size()});
  for (const T& value : values) write_value(out, value);
}

Status write_metadata(Bytes& out, const Metadata& metadata) {
  if (metadata.size() > limits::kMetadataKeys)
    return fail(Code::argument, "{} metadata keys, more than the limit of {}", metadata.size(),
                limits::kMetadataKeys);
  for (const auto& [key, value] : metadata) {
    if (auto status = check_name("a metadata key", key); !status)
      return fail(Code::argument, "{}", status.error().message);
    out.number(static_cast<uint16_t>(key.size()));
    out.text(key);
    out.number(static_cast<uint8_t>(value.index()));
    std::visit([&out](const auto& held) { write_value(out, held); }, value);
  }
  return {};
}

// Where a tensor's record has the numbers that only its bytes tell.
struct Place {
  uint64_t offset;
  uint64_t bytes;
  uint32_t crc;
};

Result<Bytes> header_of(std::span<const OutputTensor> tensors, const Metadata& metadata,
                        std::span<const Place> places) {
  Bytes out;
  out.number(static_cast<uint32_t>(metadata.size()));
  out.number(static_cast<uint32_t>(tensors.size()));
  SK_TRY_STATUS(write_metadata(out, metadata));
  for (size_t i = 0; i < tensors.size(); ++i) {
    const OutputTensor& tensor = tensors[i];
    const std::string_view type = dtype_name(tensor.dtype);
    out.number(static_cast<uint16_t>(tensor.name.size()));
    out.text(tensor.name);
    out.number(static_cast<uint8_t>(type.size()));
    out.text(type);
    out.number(static_cast<uint8_t>(tensor.layout));
    out.number(static_cast<uint8_t>(tensor.shape.rank()));
    for (const int64_t axis : tensor.shape.axes()) out.number(axis);
    out.number(places[i].offset);
    out.number(places[i].bytes);
    out.number(places[i].crc);
  }
  if (out.size() > limits::kHeaderBytes)
    return fail(Code::argument, "a header of {} bytes, the limit is {}", out.size(),
                limits::kHeaderBytes);
  return out;
}

Bytes head_of(const Bytes& header, uint64_t file_bytes) {
  Bytes out;
  out.text(kMagic);
  out.number(kVersion);
  out.number(uint32_t{0});  // flags
  out.number(uint64_t{header.size()});
  out.number(file_bytes);
  Sha256 hash;
  hash.update(out.view());
  hash.update(header.view());
  out.append(hash.finish());
  return out;
}

}  // namespace

// The header's length does not depend on what stands in it last: it is written once to take its
// place, and again when the checksums are known.
Status stream_packed(Sink& sink, std::span<const OutputTensor> tensors, const Metadata& metadata,
                     const WriteOptions&) {
  SK_TRY_STATUS(check_outputs(tensors, /*named=*/true));
  std::vector<Place> places(tensors.size());
  SK_TRY(Bytes header, header_of(tensors, metadata, places));
  uint64_t end = aligned(kHeadBytes + header.size(), kDataAlignment);
  for (size_t i = 0; i < tensors.size(); ++i) {
    SK_TRY(places[i].bytes, output_bytes(tensors[i]));
    places[i].offset = end;
    end = aligned(end + places[i].bytes, kTensorAlignment);
  }

  SK_TRY_STATUS(sink.append(head_of(header, end)));
  SK_TRY_STATUS(sink.append(header));
  SK_TRY_STATUS(sink.align(kDataAlignment));
  for (size_t i = 0; i < tensors.size(); ++i) {
    SK_TRY(places[i].crc, sink.tensor(tensors[i]));
    SK_TRY_STATUS(sink.align(kTensorAlignment));
  }
  SK_TRY(header, header_of(tensors, metadata, places));
  SK_TRY_STATUS(sink.replace(0, head_of(header, end).view()));
  return sink.replace(kHeadBytes, header.view());
}

}  // namespace skein::io
