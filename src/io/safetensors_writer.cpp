#include <unordered_set>

#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "io/pth_writer.h"
#include "io/tensor_table.h"
#include "io/writer_checks.h"

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

}  // namespace

Status check_tensors(std::span<const NamedTensor> tensors, bool named) {
  if (tensors.size() > limits::kTensors)
    return fail(Code::argument, "{} tensors, more than the limit of {}", tensors.size(),
                limits::kTensors);
  std::unordered_set<std::string_view> names;
  for (const NamedTensor& tensor : tensors) {
    const auto bytes = tensor_bytes(tensor.name, DType::f32, tensor.shape.axes());
    if (!bytes || *bytes != tensor.data.size_bytes())
      return fail(Code::argument, "tensor {} of shape {} comes with {} numbers",
                  escaped(tensor.name), tensor.shape.text(), tensor.data.size());
    if (!named) continue;
    if (auto status = check_name("a tensor", tensor.name); !status)
      return fail(Code::argument, "{}", status.error().message);
    if (!names.insert(tensor.name).second)
      return fail(Code::argument, "the tensor {} stands twice", escaped(tensor.name));
  }
  return {};
}

Result<std::vector<std::byte>> write_safetensors(
    std::span<const NamedTensor> tensors,
    const std::map<std::string, std::string, std::less<>>& metadata) {
  SK_TRY_STATUS(check_tensors(tensors, true));
  JsonWriter json;
  json.begin_object();
  if (!metadata.empty()) {
    json.key("__metadata__").begin_object();
    for (const auto& [key, value] : metadata) {
      SK_TRY_STATUS(check_utf8(key));
      SK_TRY_STATUS(check_utf8(value));
      json.member(key, value);
    }
    json.end_object();
  }
  uint64_t offset = 0;
  for (const NamedTensor& tensor : tensors) {
    SK_TRY_STATUS(check_utf8(tensor.name));
    if (tensor.name == "__metadata__" || tensor.shape.rank() > static_cast<int>(limits::kAxes))
      return fail(Code::argument, "tensor {} of shape {} cannot stand in safetensors",
                  escaped(tensor.name), tensor.shape.text());
    json.key(tensor.name).begin_object().member("dtype", "F32");
    json.key("shape").begin_array();
    for (const int64_t axis : tensor.shape.axes()) json.value(axis);
    json.end_array().key("data_offsets").begin_array();
    json.value(offset);
    offset += tensor.data.size_bytes();
    json.value(offset).end_array().end_object();
  }
  json.end_object();

  std::string header = json.text();
  header.append((kHeaderAlignment - header.size() % kHeaderAlignment) % kHeaderAlignment, ' ');
  if (header.size() > limits::kHeaderBytes)
    return fail(Code::argument, "a header of {} bytes, the limit is {}", header.size(),
                limits::kHeaderBytes);
  const uint64_t length = header.size();
  std::vector<std::byte> out;
  out.reserve(sizeof(length) + header.size() + offset);
  const auto append = [&out](std::span<const std::byte> part) {
    out.insert(out.end(), part.begin(), part.end());
  };
  append(std::as_bytes(std::span(&length, 1)));
  append(std::as_bytes(std::span(header)));
  for (const NamedTensor& tensor : tensors) append(std::as_bytes(tensor.data));
  return out;
}

}  // namespace skein::io
