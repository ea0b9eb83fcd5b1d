#include "cpu/records.h"

#include <algorithm>
#include <cstring>

namespace skein::cpu {
namespace {

using ops::kNone;
using ops::OpKind;

bool is_sparse(const std::vector<bool>& sparse, const ops::Op& op) {
  const auto input = [&](int i) {
    return op.in[i] != kNone && sparse[static_cast<size_t>(op.in[i])];
  };
  if (op.kind == OpKind::linear || op.kind == OpKind::unary)
    return op.function == ops::Unary::relu2;
  return op.kind == OpKind::mul && (input(0) || input(1));
}

// Copies a plane of `size` bytes a row: [count][16] in each panel, [count][rows] in records.
void put_plane(const std::byte* plane, int64_t panel_bytes, int64_t rows, Range range, int64_t size,
               std::byte* out) {
  for (int64_t i = range.begin; i < range.end; ++i)
    for (int64_t row = 0; row < rows; row += kPanel)
      std::memcpy(out + (i * rows + row) * size,
                  plane + row / kPanel * panel_bytes + i * kPanel * size,
                  static_cast<size_t>(kPanel * size));
}

// The place of a row among the 64 codes of quads' 16 rows.
int64_t place_in_line(int64_t row) { return row % 16 / 4 * 16 + row % 64 / 16 * 4 + row % 4; }

void put_codes(const CodePanels& shape, const std::byte* panels, int64_t rows, int64_t width,
               Range inputs, std::byte* out) {
  const int64_t panel_bytes = shape.panel_bytes(width), record = rows * shape.bits / 8;
  for (int64_t row = 0; row < rows; ++row) {
    const std::byte* lane = panels + row / kPanel * panel_bytes + row % kPanel * 4;
    for (int64_t k = inputs.begin; k < inputs.end; ++k) {
      if (shape.bits == 8) {
        out[k * record + row / 64 * 64 + place_in_line(row)] = lane[k / 4 * 64 + k % 4];
        continue;
      }
      const std::byte both = lane[k / 8 * 64 + k % 4];
      const std::byte code = k % 8 < 4 ? both & std::byte{15} : both >> 4;
      std::byte& place = out[k * record + row / 128 * 64 + place_in_line(row)];
      place = row % 128 < 64 ? code : place | code << 4;
    }
  }
}

}  // namespace

std::vector<ops::WeightId> matrices_of_sparse_inputs(const ops::Program& program) {
  std::vector<ops::WeightId> out;
  std::vector<bool> sparse(program.values.size());
  for (const ops::Op& op : program.ops) {
    if (op.out != kNone) sparse[static_cast<size_t>(op.out)] = is_sparse(sparse, op);
    if (op.kind == OpKind::linear && sparse[static_cast<size_t>(op.in[0])] &&
        std::find(out.begin(), out.end(), op.weight[0]) == out.end())
      out.push_back(op.weight[0]);
  }
  return out;
}

bool can_be_records(PanelType type, int64_t rows, int64_t width) {
  return !levels_of(type) && rows > 0 && rows % kRecordRows == 0 && width <= kLinearScratch / 2;
}

void make_records(PanelType type, const CodePanels& codes, const std::byte* panels, int64_t rows,
                  int64_t width, Range inputs, std::byte* records) {
  if (type != PanelType::codes) {
    const int64_t size = type == PanelType::f32 ? 4 : 2;
    return put_plane(panels, width * kPanel * size, rows, inputs, size, records);
  }
  put_codes(codes, panels, rows, width, inputs, records);
  const int64_t panel_bytes = codes.panel_bytes(width), times = rows / kPanel;
  const std::byte* plane = panels + codes.codes_bytes(width);
  std::byte* out = records + codes.codes_bytes(width) * times;
  const auto put = [&](int64_t bytes, int64_t inputs_each, int64_t size) {
    if (bytes == 0) return;
    put_plane(plane, panel_bytes, rows, {inputs.begin / inputs_each, inputs.end / inputs_each},
              size, out);
    plane += bytes, out += bytes * times;
  };
  const int planes = codes.shifted ? 2 : 1;
  for (int i = 0; i < planes; ++i) put(codes.scales_bytes(width), codes.block, 2);
  for (int i = 0; i < planes; ++i) put(codes.multipliers_bytes(width), codes.group, 1);
}

bool worth_skipping(const Linear& l) {
  if (l.tokens == 1) return true;
  if (l.type == PanelType::codes && l.tokens >= kBlockTokens) return false;
  // Every thread counts for itself, which is cheaper than a barrier while it counts in a few rows:
  // those stand for the others.
  constexpr int64_t kCounted = 16;
  const int64_t tokens = std::min(l.tokens, kCounted);
  int64_t active = 0;
  for (int64_t t = 0; t < tokens; ++t) {
    const float* x = l.x + t * l.tokens / tokens * l.x_stride;
    int32_t count = 0;
    for (int64_t k = 0; k < l.in; ++k) count += x[k] != 0.0f;
    active += count;
  }
  // Passes over the whole matrix that skipping comes to.
  if (active * l.tokens < 2 * l.in * tokens) return true;
  return l.type != PanelType::codes && active * 5 < 2 * l.in * tokens;
}

}  // namespace skein::cpu
