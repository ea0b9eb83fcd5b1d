#include "compat/state_order.h"

#include <algorithm>
#include <string_view>

#include "base/check.h"

namespace skein::compat {
namespace {

// blocks.3.ffn.x_prev into "blocks.3." and "ffn.x_prev".
struct PartName {
  std::string_view block, local;
};
PartName split(std::string_view name) {
  const size_t dot = name.find('.', name.find('.') + 1);
  SK_CHECK(dot != std::string_view::npos);
  return {name.substr(0, dot + 1), name.substr(dot + 1)};
}

// Matrices [rows, columns] one after the other, into [columns, rows].
void turn(const float* from, int64_t rows, int64_t columns, int64_t size, float* to) {
  for (int64_t head = 0; head < size; head += rows * columns)
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c) to[head + c * rows + r] = from[head + r * columns + c];
}

}  // namespace

StateOrder::StateOrder(const StateLayout& layout) {
  const auto add = [&](size_t i) {
    const arch::StateSpec& spec = layout.parts[i];
    const int rank = spec.shape.rank();
    parts_.push_back({.index = i,
                      .size = spec.shape.elements(),
                      .rows = spec.transposed ? spec.shape[rank - 2] : 0,
                      .columns = spec.transposed ? spec.shape[rank - 1] : 0});
  };
  for (size_t first = 0, end = 0; first < layout.parts.size(); first = end) {
    const std::string_view block = split(layout.parts[first].name).block;
    while (end < layout.parts.size() && split(layout.parts[end].name).block == block) ++end;
    for (const bool channel_mix : {true, false})
      for (size_t i = first; i < end; ++i)
        if (split(layout.parts[i].name).local.starts_with("ffn.") == channel_mix) add(i);
  }
}

Status StateOrder::write(const State& state, float* flat) const {
  for (const Part& part : parts_) {
    SK_TRY(const PartView view, state.part(part.index));
    const float* from = view.floats().data();
    if (part.rows > 0)
      turn(from, part.columns, part.rows, part.size, flat);
    else
      std::copy_n(from, part.size, flat);
    flat += part.size;
  }
  return {};
}

Status StateOrder::read(const float* flat, State& state) const {
  std::vector<float> ours;
  for (const Part& part : parts_) {
    std::span<const float> from(flat, static_cast<size_t>(part.size));
    if (part.rows > 0) {
      ours.resize(from.size());
      turn(flat, part.rows, part.columns, part.size, ours.data());
      from = ours;
    }
    SK_TRY_STATUS(state.set_part(part.index, std::as_bytes(from)));
    flat += part.size;
  }
  return {};
}

}  // namespace skein::compat
