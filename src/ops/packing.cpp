#include "ops/packing.h"

#include <algorithm>
#include <optional>

namespace skein::ops {
namespace {

using quant::CodePanels;
using quant::PanelType;

using Source = Packing::Source;

constexpr int64_t kAlign = 64;

int64_t aligned(int64_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

// Whether the storage's order is that of the tensor.
bool in_order(const StoredTensor& tensor) {
  return !tensor.computed && tensor.strides == tensor.shape.contiguous_strides();
}

// Whether rows lie one after the other, each in whole blocks.
bool has_plain_rows(const StoredTensor& tensor) {
  return tensor.layout == Layout::rows && in_order(tensor) &&
         tensor.offset % block_size(tensor.dtype).elements == 0 &&
         tensor.shape[1] % block_size(tensor.dtype).elements == 0;
}

// Whether its rows are rows of a matrix that the file holds in such panels: all of them, or a part.
bool has_panel_rows(const StoredTensor& tensor, Layout layout) {
  return tensor.layout == layout && in_order(tensor) && tensor.shape[1] == tensor.panel_width &&
         tensor.panel_width > 0 && tensor.offset % tensor.panel_width == 0;
}

// Half types stay as they are and blocks keep their codes. Everything else becomes f32: a quantised
// weight's value has more digits than a half can hold.
PanelType type_of(const StoredTensor& tensor) {
  if (tensor.dtype == DType::f16) return PanelType::f16;
  if (tensor.dtype == DType::bf16) return PanelType::bf16;
  if (quant::code_panels(tensor.dtype))
    return has_plain_rows(tensor) || has_panel_rows(tensor, Layout::codes16) ? PanelType::codes
                                                                             : PanelType::f32;
  if (!has_plain_rows(tensor)) return PanelType::f32;
  switch (tensor.dtype) {
    case DType::nf4: return PanelType::nf4;
    case DType::mxfp4: return PanelType::mxfp4;
    case DType::int8: return PanelType::int8;
    default: return PanelType::f32;
  }
}

// Whether panels of numbers of that type are the file's own bytes. I32 is as wide as F32 and is
// not.
bool keeps_numbers(DType dtype, PanelType type) {
  switch (dtype) {
    case DType::f32: return type == PanelType::f32;
    case DType::f16: return type == PanelType::f16;
    case DType::bf16: return type == PanelType::bf16;
    default: return false;
  }
}

// The panels in the file that are the matrix as it would be packed. A part of a larger matrix has
// them where it begins and ends as panels do.
std::optional<std::span<const std::byte>> held_panels(const StoredTensor& tensor, PanelType type,
                                                      const CodePanels& codes) {
  const bool kept = type == PanelType::codes ? has_panel_rows(tensor, Layout::codes16)
                                             : keeps_numbers(tensor.dtype, type) &&
                                                   has_panel_rows(tensor, Layout::panels16);
  if (!kept) return std::nullopt;
  const int64_t bytes = quant::panel_bytes(type, codes, tensor.shape[1]);
  const int64_t stored = static_cast<int64_t>(tensor.storage.size()) / bytes;
  const int64_t first_row = tensor.offset / tensor.shape[1], rows = tensor.shape[0];
  const int64_t first = first_row / quant::kPanelRows, count = quant::panels_of(rows);
  const bool whole = first_row % quant::kPanelRows == 0 &&
                     (rows % quant::kPanelRows == 0 || first + count == stored);
  if (!whole || count > stored - first) return std::nullopt;
  const auto panels = tensor.storage.subspan(static_cast<size_t>(first * bytes),
                                             static_cast<size_t>(count * bytes));
  if (reinterpret_cast<uintptr_t>(panels.data()) % kAlign != 0) return std::nullopt;
  return panels;
}

Packing packing_of_matrix(const StoredTensor& tensor) {
  Packing out;
  out.type = type_of(tensor);
  if (out.type == PanelType::codes) out.codes = *quant::code_panels(tensor.dtype);
  if (const auto held = held_panels(tensor, out.type, out.codes)) {
    out.source = Source::in_place;
    out.mapped = *held;
    return out;
  }
  out.bytes = buffer_bytes(out.type, out.codes, tensor.shape[0], tensor.shape[1]);
  if (!quant::holds_numbers(out.type))
    out.source = Source::blocks;
  else if (out.type != PanelType::f32 && has_plain_rows(tensor))
    out.source = Source::halves;
  else
    out.source = Source::numbers;
  return out;
}

}  // namespace

int64_t buffer_bytes(quant::PanelType type, const quant::CodePanels& codes, int64_t rows,
                     int64_t width) {
  return aligned(quant::panels_of(rows) * quant::panel_bytes(type, codes, width));
}

Packing packing_of(const WeightData& weight) {
  if (!weight.present) return {};
  const StoredTensor& tensor = weight.tensor;
  if (weight.use == WeightUse::matrix) return packing_of_matrix(tensor);
  // A table is used where it lies in the file unless its rows are not contiguous there.
  if (weight.use == WeightUse::table && has_plain_rows(tensor)) return {.source = Source::in_place};
  return {.source = Source::numbers, .bytes = aligned(tensor.shape.elements() * 4)};
}

std::vector<Packing> packings_of(std::span<const WeightData> weights) {
  std::vector<Packing> out(weights.size());
  std::transform(weights.begin(), weights.end(), out.begin(), packing_of);
  return out;
}

}  // namespace skein::ops
