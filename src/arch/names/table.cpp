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

// Names of tensors with three axes.
bool is_stack(std::string_view official) {
  return official.ends_with("att.time_maa_w2") || is_tuned_state(official);
}

Status read_row(const Row& row, const StoredTensor& tensor, bool in_layer, int64_t layer,
                std::string_view file_name, NamedTensors& out) {
  const auto names = words(row.official);
  if (names.size() == 1) {
    StoredTensor value = squeezed(tensor, names[0]);
    if (row.form == Form::transposed) value = turned(std::move(value));
    return put(official_name(names[0], in_layer, layer), std::move(value), file_name, out);
  }
  // A stack may end early: a design without a gate has no mix for it.
  const auto count = static_cast<int64_t>(names.size());
  if (tensor.shape.rank() < 2 || tensor.shape[0] > count || tensor.shape[0] < 1)
    return fail(Code::mismatch, "{}: tensor {} is {}, expected a stack of {} vectors", file_name,
                escaped(tensor.name), tensor.shape.text(), count);
  for (int64_t i = 0; i < tensor.shape[0]; ++i)
    SK_TRY_STATUS(put(official_name(names[static_cast<size_t>(i)], in_layer, layer), tensor.row(i),
                      file_name, out));
  return {};
}

Shape written_shape(const Row& row, const StoredTensor& tensor) {
  const Shape& shape = tensor.shape;
  if (row.form == Form::three_axes) return {1, 1, shape.elements()};
  // Vectors of a program come as [D], [1, 1, D] or [H, N] officially; the last keeps its axes.
  const bool vector = shape.rank() > 2 && shape.squeezed().rank() == 1 && !is_stack(row.official);
  return vector ? shape.squeezed() : shape;
}

}  // namespace

Status put(std::string official, StoredTensor tensor, std::string_view file_name,
           NamedTensors& out) {
  const auto [place, added] = out.try_emplace(std::move(official), std::move(tensor));
  if (added) return {};
  return fail(Code::mismatch, "{}: the tensors {} and {} are both {}", file_name,
              escaped(place->second.name), escaped(tensor.name), escaped(place->first));
}

StoredTensor squeezed(const StoredTensor& tensor, std::string_view official) {
  const int wanted = is_stack(official) ? 3 : 2;
  StoredTensor out = tensor;
  const auto drop = [&out](int axis) {
    std::vector<int64_t> axes, steps;
    for (int i = 0; i < out.shape.rank(); ++i) {
      if (i == axis) continue;
      axes.push_back(out.shape[i]);
      steps.push_back(out.strides[i]);
    }
    out.shape = Shape(std::span<const int64_t>(axes));
    out.strides = Shape(std::span<const int64_t>(steps));
  };
  // Behind first: rwkv.cpp's heads are [H, N, 1], and there may be one of them.
  while (out.shape.rank() > wanted && out.shape[out.shape.rank() - 1] == 1)
    drop(out.shape.rank() - 1);
  for (int axis = 0; out.shape.rank() > wanted && axis < out.shape.rank();) {
    if (out.shape[axis] == 1)
      drop(axis);
    else
      ++axis;
  }
  return out;
}

StoredTensor turned(StoredTensor tensor) {
  while (tensor.shape.rank() < 2) {
    std::vector<int64_t> axes = {1}, steps = {tensor.shape.elements()};
    axes.insert(axes.end(), tensor.shape.axes().begin(), tensor.shape.axes().end());
    steps.insert(steps.end(), tensor.strides.axes().begin(), tensor.strides.axes().end());
    tensor.shape = Shape(std::span<const int64_t>(axes));
    tensor.strides = Shape(std::span<const int64_t>(steps));
  }
  return tensor.transposed();
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
      SK_TRY_STATUS(put(tensor.name, tensor, file_name, out));
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
