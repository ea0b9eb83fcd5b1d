#include "io/tensor_table.h"

#include <algorithm>
#include <utility>

#include "base/checked.h"
#include "base/limits.h"

namespace skein::io {

Result<uint64_t> tensor_bytes(std::string_view name, DType type, std::span<const int64_t> axes) {
  for (const int64_t axis : axes)
    if (axis < 0 || axis > static_cast<int64_t>(limits::kDimension))
      return fail(Code::corrupt, "tensor {} has an axis of {}", escaped(name), axis);
  const BlockSize block = block_size(type);
  const int64_t row = axes.empty() ? 1 : axes.back();
  if (row % block.elements != 0)
    return fail(Code::corrupt, "tensor {} has rows of {}, but {} comes in blocks of {}",
                escaped(name), row, dtype_name(type), block.elements);
  const auto elements = checked_product(axes);
  const auto bytes =
      elements ? checked_mul(*elements / static_cast<uint64_t>(block.elements), block.bytes)
               : std::nullopt;
  if (!bytes || *bytes > static_cast<uint64_t>(INT64_MAX))
    return fail(Code::corrupt, "tensor {} has a shape whose product overflows", escaped(name));
  return *bytes;
}

Status TensorTable::add(StoredTensor tensor) {
  SK_TRY_STATUS(check_name("a tensor", tensor.name));
  if (tensors_.size() == limits::kTensors)
    return above_limit("tensors", limits::kTensors + 1, limits::kTensors);
  if (!names_.insert(tensor.name).second)
    return fail(Code::corrupt, "the tensor {} stands twice in the file", escaped(tensor.name));
  tensors_.push_back(std::move(tensor));
  return {};
}

Status check_name(std::string_view what, std::string_view name) {
  if (name.empty()) return fail(Code::corrupt, "{} has an empty name", what);
  if (name.size() > limits::kNameBytes)
    return fail(Code::corrupt, "{} has a name of {} bytes, more than {}: {}", what, name.size(),
                limits::kNameBytes, escaped(name, 40));
  const bool control = std::any_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (control)
    return fail(Code::corrupt, "{} has control bytes in its name: {}", what, escaped(name));
  return {};
}

tl::unexpected<Error> above_limit(std::string_view what, uint64_t count, uint64_t limit) {
  return fail(Code::unsupported, "{} {}, more than the limit of {}", count, what, limit);
}

}  // namespace skein::io
