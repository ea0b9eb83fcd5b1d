#include "io/output_tensor.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>
#include <vector>

#include "base/checked.h"
#include "base/finite.h"
#include "base/limits.h"
#include "io/tensor_table.h"
#include "quant/formats.h"
#include "quant/panels.h"
#include "quant/read.h"

namespace skein::io {
namespace {

using Put = std::function<Status(std::span<const std::byte>)>;

// Numbers that are decoded and encoded together: 4 MiB as f32.
constexpr int64_t kPiece = int64_t{1} << 20;

// Whether the view's numbers stand one after the other in its storage, in the bytes of whole
// blocks. Steps along an axis of one do not matter.
bool lies_together(const StoredTensor& part) {
  if (part.layout != Layout::rows || part.computed || part.strides.rank() != part.shape.rank())
    return false;
  const Shape dense = part.shape.contiguous_strides();
  for (int i = 0; i < part.shape.rank(); ++i)
    if (part.shape[i] != 1 && part.strides[i] != dense[i]) return false;
  const BlockSize block = block_size(part.dtype);
  const int64_t row = part.shape.rank() > 0 ? part.shape[part.shape.rank() - 1] : 1;
  return part.offset % block.elements == 0 && row % block.elements == 0;
}

// A copy where no number changes; otherwise by way of f32.
bool is_copy(const OutputTensor& tensor, const StoredTensor& part) {
  return tensor.dtype == part.dtype && lies_together(part);
}

// Nearly a copy: the same blocks, out of panels.
bool is_unpacked(const OutputTensor& tensor, const StoredTensor& part) {
  return tensor.dtype == part.dtype && part.layout == Layout::codes16 && part.shape.rank() == 2 &&
         part.shape[1] == part.panel_width && part.strides == part.shape.contiguous_strides();
}

Status check_part(const OutputTensor& tensor, const StoredTensor& part) {
  if (is_copy(tensor, part) || is_unpacked(tensor, part)) return {};
  if (!quant::encodable(tensor.dtype))
    return fail(Code::argument, "tensor {}: {} cannot be made from {}", escaped(tensor.name),
                dtype_name(tensor.dtype), dtype_name(part.dtype));
  const int64_t row = part.shape.rank() > 0 ? part.shape[part.shape.rank() - 1] : 1;
  if (row % block_size(tensor.dtype).elements != 0)
    return fail(Code::argument, "tensor {}: rows of {} are not whole blocks of {}",
                escaped(tensor.name), row, dtype_name(tensor.dtype));
  return {};
}

Status copy_part(const StoredTensor& part, const Put& put) {
  const BlockSize block = block_size(part.dtype);
  const auto bytes_of = [&](int64_t elements) {
    return static_cast<size_t>(elements / block.elements * block.bytes);
  };
  const size_t first = bytes_of(part.offset), count = bytes_of(part.shape.elements());
  if (first > part.storage.size() || count > part.storage.size() - first)
    return fail(Code::corrupt, "tensor {}: shape {} leaves its {} bytes", escaped(part.name),
                part.shape.text(), part.storage.size());
  auto rest = part.storage.subspan(first, count);
  // In pieces, so that a reader of progress hears of them.
  while (!rest.empty()) {
    const auto piece = rest.first(std::min(rest.size(), size_t{kPiece} * sizeof(float)));
    SK_TRY_STATUS(put(piece));
    rest = rest.subspan(piece.size());
  }
  return {};
}

Status unpack_part(const StoredTensor& part, const Put& put) {
  const BlockSize block = block_size(part.dtype);
  const int64_t rows = part.shape[0], row = part.shape[1];
  const int64_t step = std::clamp<int64_t>(kPiece / row, 1, rows);
  std::vector<std::byte> bytes;
  for (int64_t first = 0; first < rows; first += step) {
    const int64_t count = std::min(step, rows - first);
    bytes.resize(static_cast<size_t>(count * (row / block.elements) * block.bytes));
    SK_TRY_STATUS(quant::read_row_blocks(part, first, count, bytes));
    SK_TRY_STATUS(put(bytes));
  }
  return {};
}

Status encode(DType type, std::span<const float> values, std::span<std::byte> out, Pool* pool) {
  const BlockSize block = block_size(type);
  const auto blocks = static_cast<int64_t>(values.size()) / block.elements;
  const auto part = [&](Range range) {
    const auto first = static_cast<size_t>(range.begin),
               count = static_cast<size_t>(range.end) - first;
    const auto numbers = static_cast<size_t>(block.elements);
    const auto bytes = static_cast<size_t>(block.bytes);
    return quant::encode(type, values.subspan(first * numbers, count * numbers),
                         out.subspan(first * bytes, count * bytes));
  };
  return pool ? run_shares(*pool, blocks, part) : part({0, blocks});
}

Status encode_part(const OutputTensor& tensor, const StoredTensor& part, Pool* pool,
                   const Put& put) {
  const int64_t elements = part.shape.elements();
  if (elements == 0) return {};
  const int64_t rows = part.shape.rank() > 0 ? part.shape[0] : 1;
  const int64_t row = elements / rows;
  const int64_t step = std::clamp<int64_t>(kPiece / row, 1, rows);
  const BlockSize block = block_size(tensor.dtype);
  std::vector<float> values(static_cast<size_t>(step * row));
  std::vector<std::byte> bytes(values.size() / static_cast<size_t>(block.elements) *
                               static_cast<size_t>(block.bytes));
  for (int64_t first = 0; first < rows; first += step) {
    const auto count = static_cast<size_t>(std::min(step, rows - first) * row);
    const auto now = std::span(values).first(count);
    SK_TRY_STATUS(part.shape.rank() > 0
                      ? quant::read_rows_f32(part, first, std::min(step, rows - first), now)
                      : quant::read_f32(part, now));
    if (part.computed && !all_finite(now))
      return fail(Code::corrupt, "tensor {}: what its numbers stand for is not finite",
                  escaped(tensor.name));
    const auto out = std::span(bytes).first(count / static_cast<size_t>(block.elements) *
                                            static_cast<size_t>(block.bytes));
    if (auto status = encode(tensor.dtype, now, out, pool); !status)
      return fail(status.error().code, "tensor {}: {}", escaped(tensor.name),
                  status.error().message);
    SK_TRY_STATUS(put(out));
  }
  return {};
}

// Turns rows as they come into panels of sixteen.
class Panels {
 public:
  Panels(const OutputTensor& tensor, const Put& put)
      : tensor_(tensor),
        width_(tensor.shape[1]),
        row_(static_cast<size_t>(width_ / block_size(tensor.dtype).elements *
                                 block_size(tensor.dtype).bytes)),
        rows_(row_ * quant::kPanelRows),
        panel_(panels_bytes(tensor.layout, tensor.dtype, {1, width_}).value()),
        put_(put) {}

  Status add(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto now = bytes.first(std::min(bytes.size(), rows_.size() - filled_));
      std::memcpy(rows_.data() + filled_, now.data(), now.size());
      filled_ += now.size();
      bytes = bytes.subspan(now.size());
      if (filled_ == rows_.size()) SK_TRY_STATUS(flush());
    }
    return {};
  }
  Status flush() {
    if (filled_ == 0) return {};
    const auto rows = static_cast<int64_t>(filled_ / row_);
    filled_ = 0;
    if (tensor_.layout == Layout::panels16) {
      quant::pack_numbers(block_size(tensor_.dtype).bytes, rows_.data(), rows, width_,
                          panel_.data());
    } else if (!quant::pack_codes(tensor_.dtype, rows_.data(), rows, width_, panel_.data())) {
      return fail(Code::corrupt, "tensor {}: a scale of its {} data is not finite",
                  escaped(tensor_.name), dtype_name(tensor_.dtype));
    }
    return put_(panel_);
  }

 private:
  const OutputTensor& tensor_;
  int64_t width_;
  size_t row_;
  std::vector<std::byte> rows_;
  std::vector<std::byte> panel_;
  size_t filled_ = 0;
  const Put& put_;
};

Status stream_parts(const OutputTensor& tensor, Pool* pool, const Put& put) {
  for (const StoredTensor& part : tensor.parts)
    SK_TRY_STATUS(is_copy(tensor, part)       ? copy_part(part, put)
                  : is_unpacked(tensor, part) ? unpack_part(part, put)
                                              : encode_part(tensor, part, pool, put));
  return {};
}

}  // namespace

std::optional<uint64_t> panels_bytes(Layout layout, DType type, const Shape& shape) {
  if (shape.rank() != 2 || shape.elements() == 0) return std::nullopt;
  const quant::CodePanels* codes = quant::code_panels(type);
  const bool plain = type == DType::f32 || type == DType::f16 || type == DType::bf16;
  if (layout == Layout::codes16 ? !codes : !plain) return std::nullopt;
  // Of fewer than 2^63 numbers, so that only the padding to whole panels can overflow.
  const auto width = static_cast<uint64_t>(shape[1]);
  if (width > UINT64_MAX / quant::kPanelRows / 8) return std::nullopt;
  const auto panel =
      codes && layout == Layout::codes16
          ? static_cast<uint64_t>(codes->panel_bytes(shape[1]))
          : width * quant::kPanelRows * static_cast<uint64_t>(block_size(type).bytes);
  const auto rows = static_cast<uint64_t>(shape[0]);
  const auto bytes = checked_mul((rows + quant::kPanelRows - 1) / quant::kPanelRows, panel);
  return bytes && *bytes <= static_cast<uint64_t>(INT64_MAX) ? bytes : std::nullopt;
}

Result<uint64_t> output_bytes(const OutputTensor& tensor) {
  const auto bytes = tensor_bytes(tensor.name, tensor.dtype, tensor.shape.axes());
  if (!bytes) return fail(Code::argument, "{}", bytes.error().message);
  uint64_t elements = 0;
  for (const StoredTensor& part : tensor.parts) {
    const auto own = checked_product(part.shape.axes());
    const auto sum = own ? checked_add(elements, *own) : std::nullopt;
    if (!sum)
      return fail(Code::argument, "tensor {} has a part of the impossible shape {}",
                  escaped(tensor.name), part.shape.text());
    elements = *sum;
    SK_TRY_STATUS(check_part(tensor, part));
  }
  if (elements != static_cast<uint64_t>(tensor.shape.elements()))
    return fail(Code::argument, "tensor {} of shape {} comes with {} numbers", escaped(tensor.name),
                tensor.shape.text(), elements);
  if (tensor.layout == Layout::rows) return *bytes;
  const auto panels = panels_bytes(tensor.layout, tensor.dtype, tensor.shape);
  if (!panels)
    return fail(Code::argument, "tensor {} of {} {} cannot be kept in panels", escaped(tensor.name),
                dtype_name(tensor.dtype), tensor.shape.text());
  return *panels;
}

Status check_outputs(std::span<const OutputTensor> tensors, bool named) {
  if (tensors.size() > limits::kTensors)
    return fail(Code::argument, "{} tensors, more than the limit of {}", tensors.size(),
                limits::kTensors);
  std::unordered_set<std::string_view> names;
  for (const OutputTensor& tensor : tensors) {
    if (auto bytes = output_bytes(tensor); !bytes) return tl::unexpected(std::move(bytes).error());
    if (!named) continue;
    if (auto status = check_name("a tensor", tensor.name); !status)
      return fail(Code::argument, "{}", status.error().message);
    if (!names.insert(tensor.name).second)
      return fail(Code::argument, "the tensor {} stands twice", escaped(tensor.name));
  }
  return {};
}

Status stream_output(const OutputTensor& tensor, Pool* pool, const Put& put) {
  if (tensor.layout == Layout::rows) return stream_parts(tensor, pool, put);
  Panels panels(tensor, put);
  SK_TRY_STATUS(stream_parts(tensor, pool, [&](auto bytes) { return panels.add(bytes); }));
  return panels.flush();
}

}  // namespace skein::io
