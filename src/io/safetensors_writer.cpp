#include <algorithm>
#include <numeric>
#include <type_traits>

#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "io/output_tensor.h"
#include "io/safetensors.h"
#include "io/writers.h"

namespace skein::io {
namespace {

constexpr size_t kHeaderAlignment = 8;

// JSON can hold nothing else, and the writer of JSON would replace it.
Status check_utf8(std::string_view text) {
  for (std::string_view rest = text; !rest.empty();) {
    const size_t length = utf8_length(rest);
    if (length == 0)
      return fail(Code::argument, "\"{}\" is not UTF-8, which safetensors needs", escaped(text));
    rest.remove_prefix(length);
  }
  return {};
}

Result<std::string> text_of(const std::string& key, const MetaValue& value) {
  return std::visit(
      [&key](const auto& held) -> Result<std::string> {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, std::string>)
          return held;
        else if constexpr (std::is_arithmetic_v<Held>)
          return fmt::format("{}", held);
        else
          return fail(Code::argument, "the metadata {} is a list, which safetensors cannot hold",
                      escaped(key));
      },
      value);
}

Status write_metadata(JsonWriter& json, const Metadata& metadata) {
  if (metadata.empty()) return {};
  json.key("__metadata__").begin_object();
  for (const auto& [key, value] : metadata) {
    SK_TRY(const std::string text, text_of(key, value));
    SK_TRY_STATUS(check_utf8(key));
    SK_TRY_STATUS(check_utf8(text));
    json.member(key, text);
  }
  json.end_object();
  return {};
}

// The widest types first, as the format's own library does, so that every tensor stands at a
// multiple of its element.
std::vector<size_t> data_order(std::span<const OutputTensor> tensors) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return block_size(tensors[a].dtype).bytes > block_size(tensors[b].dtype).bytes;
  });
  return order;
}

}  // namespace

Status stream_safetensors(Sink& sink, std::span<const OutputTensor> tensors,
                          const Metadata& metadata, const WriteOptions&) {
  SK_TRY_STATUS(check_outputs(tensors, /*named=*/true));
  JsonWriter json;
  json.begin_object();
  SK_TRY_STATUS(write_metadata(json, metadata));
  const std::vector<size_t> order = data_order(tensors);
  uint64_t offset = 0;
  for (const size_t i : order) {
    const OutputTensor& tensor = tensors[i];
    SK_TRY_STATUS(check_utf8(tensor.name));
    if (!is_safetensors_type(tensor.dtype) || tensor.layout != Layout::rows ||
        tensor.name == "__metadata__" || tensor.shape.rank() > static_cast<int>(limits::kAxes))
      return fail(Code::argument, "tensor {} of {} {} cannot stand in safetensors",
                  escaped(tensor.name), dtype_name(tensor.dtype), tensor.shape.text());
    SK_TRY(const uint64_t bytes, output_bytes(tensor));
    json.key(tensor.name).begin_object().member("dtype", dtype_name(tensor.dtype));
    json.key("shape").begin_array();
    for (const int64_t axis : tensor.shape.axes()) json.value(axis);
    json.end_array().key("data_offsets").begin_array();
    json.value(offset);
    offset += bytes;
    json.value(offset).end_array().end_object();
  }
  json.end_object();

  std::string header = json.text();
  header.append((kHeaderAlignment - header.size() % kHeaderAlignment) % kHeaderAlignment, ' ');
  if (header.size() > limits::kHeaderBytes)
    return fail(Code::argument, "a header of {} bytes, the limit is {}", header.size(),
                limits::kHeaderBytes);
  Bytes head;
  head.number(uint64_t{header.size()});
  head.text(header);
  SK_TRY_STATUS(sink.append(head));
  for (const size_t i : order) SK_TRY_STATUS(sink.tensor(tensors[i]));
  return {};
}

}  // namespace skein::io
