#include "arch/names/table.h"

#include <algorithm>

namespace skein::arch::names {
namespace {

const Row* find_reader(const std::vector<std::span<const Row>>& groups, std::string_view foreign) {
  for (const auto& group : groups)
    for (const Row& row : group)
      if (row.foreign == foreign) return &row;
  return nullptr;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string official_name(std::string_view word, bool in_layer, int64_t layer) {
  return in_layer ? fmt::format("blocks.{}.{}", layer, word) : std::string(word);
}

// The row that writes the tensor of this official name first in its stack; `index` is its place
// there.
const Row* find_writer(const std::vector<std::span<const Row>>& groups, std::string_view official,
                       size_t& index) {
  for (const auto& group : groups) {
    for (const Row& row : group) {
      const auto names = words(row.official);
      for (index = 0; index < names.size(); ++index)
        if (names[index] == official) return &row;
    }
  }
  return nullptr;
}

Status read_row(const Row& row, const StoredTensor& tensor, bool in_layer, int64_t layer,
                std::string_view file_name, NamedTensors& out) {
  const auto names = words(row.official);
  if (names.size() == 1) {
    StoredTensor value = squeezed(tensor);
    if (row.form == Form::transposed) {
      if (value.shape.rank() < 2)
        return fail(Code::mismatch, "{}: tensor {} is {}, expected a matrix", file_name,
                    escaped(tensor.name), tensor.shape.text());
      value = value.transposed();
    }
    out.emplace(official_name(names[0], in_layer, layer), std::move(value));
    return {};
  }
  // A stack may end early: a design without a gate has no mix for it.
  const auto count = static_cast<int64_t>(names.size());
  if (tensor.shape.rank() < 2 || tensor.shape[0] > count || tensor.shape[0] < 1)
    return fail(Code::mismatch, "{}: tensor {} is {}, expected a stack of {} vectors", file_name,
                escaped(tensor.name), tensor.shape.text(), count);
  for (int64_t i = 0; i < tensor.shape[0]; ++i)
    out.emplace(official_name(names[static_cast<size_t>(i)], in_layer, layer), tensor.row(i));
  return {};
}

Shape written_shape(const Row& row, const StoredTensor& tensor) {
  const Shape& shape = tensor.shape;
  if (row.form == Form::three_axes) return {1, 1, shape.elements()};
  // Vectors of a program come as [D], [1, 1, D] or [H, N] officially; the last keeps its axes.
  return shape.rank() > 2 && shape.squeezed().rank() == 1 ? shape.squeezed() : shape;
}

}  // namespace

StoredTensor squeezed(const StoredTensor& tensor) {
  if (tensor.shape.rank() <= 2) return tensor;
  const Shape shape = tensor.shape.squeezed();
  if (shape.rank() == tensor.shape.rank() || tensor.strides != tensor.shape.contiguous_strides())
    return tensor;
  return tensor.reshaped(shape);
}

Result<NamedTensors> read_names(const Container& container, const Table& table,
                                std::string_view file_name, const Special& special) {
  NamedTensors out;
  for (const StoredTensor& tensor : container.tensors) {
    int64_t layer = 0;
    std::string_view local;
    const bool in_layer = split_layer(tensor.name, table.layer_prefix, layer, local);
    if (special && in_layer) {
      SK_TRY(const bool done, special(tensor, layer, local, out));
      if (done) continue;
    }
    const Row* row =
        in_layer ? find_reader(table.in_layer, local) : find_reader(table.top, tensor.name);
    if (!row) {
      out.emplace(tensor.name, tensor);
      continue;
    }
    SK_TRY_STATUS(read_row(*row, tensor, in_layer, layer, file_name, out));
  }
  return out;
}

Result<std::vector<ForeignTensor>> write_names(const NamedTensors& tensors, const Table& table,
                                               std::string_view title) {
  std::vector<ForeignTensor> out;
  for (const auto& [name, tensor] : tensors) {
    int64_t layer = 0;
    std::string_view local;
    size_t index = 0;
    const Row* row = find_writer(table.top, name, index);
    const bool in_layer = !row && split_layer(name, "blocks.", layer, local);
    if (in_layer) row = find_writer(table.in_layer, local, index);
    if (!row)
      return fail(Code::unsupported, "tensor {} has no name in files of {}", escaped(name), title);
    if (index > 0) continue;  // written with the first of its stack
    ForeignTensor& written = out.emplace_back();
    written.name = in_layer ? fmt::format("{}{}.{}", table.layer_prefix, layer, row->foreign)
                            : std::string(row->foreign);
    written.official = name;
    const auto names = words(row->official);
    if (names.size() == 1) {
      written.parts = {row->form == Form::transposed ? tensor.transposed() : tensor};
      written.shape = written_shape(*row, written.parts[0]);
      continue;
    }
    for (const std::string_view part : names) {
      const auto found = tensors.find(official_name(part, in_layer, layer));
      if (found == tensors.end()) break;
      written.parts.push_back(found->second);
    }
    written.shape = {static_cast<int64_t>(written.parts.size()), 1, 1, tensor.shape.elements()};
  }
  return out;
}

}  // namespace skein::arch::names
