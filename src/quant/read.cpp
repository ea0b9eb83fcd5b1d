#include "quant/read.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

#include "base/checked.h"
#include "quant/panels.h"
#include "quant/rows.h"

namespace skein::quant {
namespace {

// Side of a tile in the scratch: a permuted view is decoded along the storage and written along the
// output, and both like runs.
constexpr int64_t kTileRun = 256;
constexpr int64_t kTileLanes = 64;

// Bytes of the largest block that panels of codes are made of.
constexpr int64_t kLargestBlock = 256;

// One loop over the tensor: `count` steps of `from` elements in the storage and `to` in the output.
struct Axis {
  int64_t count = 1;
  int64_t from = 0;
  int64_t to = 0;
};

// The loops of a tensor, largest storage step outside, so that the storage is read ascending.
struct Walk {
  std::array<Axis, Shape::kMaxAxes> axes;
  int rank = 0;
  int64_t from = 0;  // where the walk begins
  int64_t to = 0;
};

Status strange_codes(const std::string& name, DType type, int64_t row) {
  return fail(Code::corrupt, "tensor {}: row {} of its panels has codes that {} does not have",
              escaped(name), row, dtype_name(type));
}

// The stored elements of one tensor, by index.
class Source {
 public:
  Source(const StoredTensor& tensor, const FormatRow& row)
      : name_(tensor.name),
        computed_(tensor.computed.get()),
        bytes_(tensor.storage.data()),
        decode_(row.decode),
        type_(row.type),
        elements_(block_size(row.type).elements),
        block_bytes_(block_size(row.type).bytes),
        layout_(tensor.layout),
        panel_width_(tensor.panel_width) {}

  // out[i] = element (first + i * step), for i < count.
  Status take(int64_t first, int64_t step, int64_t count, float* out) const {
    if (computed_ && step == 1) return computed_->read(first, {out, static_cast<size_t>(count)});
    if (layout_ == Layout::panels16) return take_panels(first, step, count, out);
    int64_t i = 0;
    while (i < count) {
      const int64_t at = first + i * step;
      const int64_t block = at / elements_;
      if (at % elements_ == 0 && step == 1 && count - i >= elements_) {
        const int64_t blocks = (count - i) / elements_;
        SK_TRY_STATUS(decode_blocks(block, blocks, out + i));
        i += blocks * elements_;
        continue;
      }
      float numbers[256];
      SK_TRY_STATUS(decode_blocks(block, 1, numbers));
      for (int64_t inside = at % elements_; inside < elements_ && i < count; inside += step) {
        out[i++] = numbers[inside];
        if (step == 0) break;
      }
    }
    return {};
  }

 private:
  Status decode_blocks(int64_t first, int64_t count, float* out) const {
    if (computed_) return computed_->read(first, {out, static_cast<size_t>(count)});
    if (layout_ == Layout::codes16) return decode_codes(first, count, out);
    const auto done = static_cast<int64_t>(
        decode_(bytes_ + first * block_bytes_, static_cast<size_t>(count), out));
    return done == count ? Status() : bad_block(first + done);
  }

  Status bad_block(int64_t block) const { return undecodable(type_, block, name_); }

  // Blocks are counted row after row and lie in panels.
  Status decode_codes(int64_t first, int64_t count, float* out) const {
    constexpr int64_t kSome = 8;
    std::array<std::byte, kSome * kLargestBlock> blocks;
    const int64_t row_blocks = panel_width_ / elements_;
    const int64_t panel_bytes = code_panels(type_)->panel_bytes(panel_width_);
    while (count > 0) {
      const int64_t row = first / row_blocks, at = first % row_blocks;
      const int64_t some = std::min({kSome, count, row_blocks - at});
      if (!unpack_codes(type_, bytes_ + row / kPanelRows * panel_bytes, panel_width_,
                        row % kPanelRows, at, some, blocks.data()))
        return strange_codes(name_, type_, row);
      const auto done =
          static_cast<int64_t>(decode_(blocks.data(), static_cast<size_t>(some), out));
      if (done != some) return bad_block(first + done);
      first += some;
      count -= some;
      out += some * elements_;
    }
    return {};
  }

  // Elements are counted row after row and lie in panels: sixteen neighbours of a column together.
  Status take_panels(int64_t first, int64_t step, int64_t count, float* out) const {
    constexpr int64_t kGather = 256;
    std::array<std::byte, kGather * sizeof(float)> gathered;
    for (int64_t begin = 0; begin < count; begin += kGather) {
      const int64_t some = std::min(kGather, count - begin);
      int64_t row = (first + begin * step) / panel_width_;
      int64_t column = (first + begin * step) % panel_width_;
      for (int64_t i = 0; i < some; ++i) {
        const int64_t place =
            (row / kPanelRows * panel_width_ + column) * kPanelRows + row % kPanelRows;
        std::memcpy(gathered.data() + i * block_bytes_, bytes_ + place * block_bytes_,
                    static_cast<size_t>(block_bytes_));
        column += step;
        if (column >= panel_width_) {
          row += column / panel_width_;
          column %= panel_width_;
        }
      }
      const auto done =
          static_cast<int64_t>(decode_(gathered.data(), static_cast<size_t>(some), out + begin));
      if (done != some) return bad_block(first + (begin + done) * step);
    }
    return {};
  }

  const std::string& name_;
  const ComputedTensor* computed_;
  const std::byte* bytes_;
  DecodeBlocks decode_;
  DType type_;
  int64_t elements_;
  int64_t block_bytes_;
  Layout layout_;
  int64_t panel_width_;
};

// Lowest and highest storage index the view reaches; false on overflow.
bool reach(const StoredTensor& tensor, int64_t& lowest, int64_t& highest) {
  lowest = highest = tensor.offset;
  for (int axis = 0; axis < tensor.shape.rank(); ++axis) {
    int64_t span = 0;
    if (__builtin_mul_overflow(tensor.shape[axis] - 1, tensor.strides[axis], &span)) return false;
    int64_t& end = span < 0 ? lowest : highest;
    if (__builtin_add_overflow(end, span, &end)) return false;
  }
  return true;
}

// Blocks or numbers in the storage, the padding of panels counted as stored; nullopt if it is not
// whole ones.
std::optional<uint64_t> stored_units(const StoredTensor& tensor) {
  const BlockSize size = block_size(tensor.dtype);
  const auto bytes = static_cast<int64_t>(tensor.storage.size());
  const int64_t width = tensor.panel_width;
  int64_t panel_bytes = 0;
  switch (tensor.layout) {
    case Layout::rows:
      if (bytes % size.bytes != 0) return std::nullopt;
      return static_cast<uint64_t>(bytes / size.bytes);
    case Layout::panels16:
      // Of plain numbers that fit the gathering buffer.
      if (size.elements != 1 || size.bytes > static_cast<int32_t>(sizeof(float))) break;
      if (width > 0 && width <= bytes / size.bytes / kPanelRows)
        panel_bytes = width * size.bytes * kPanelRows;
      break;
    case Layout::codes16:
      // No code is smaller than half a byte.
      if (const CodePanels* codes = code_panels(tensor.dtype);
          codes && width > 0 && width % size.elements == 0 && width / 2 <= bytes / kPanelRows)
        panel_bytes = codes->panel_bytes(width);
      break;
  }
  if (panel_bytes == 0 || bytes % panel_bytes != 0) return std::nullopt;
  return static_cast<uint64_t>(bytes / panel_bytes * kPanelRows * (width / size.elements));
}

// The tensor's own promises, checked again because reading outside is the one thing that must
// never happen here. `elements` is their number.
Status validate(const StoredTensor& tensor, uint64_t& elements) {
  const BlockSize size = block_size(tensor.dtype);
  if (tensor.strides.rank() != tensor.shape.rank())
    return fail(Code::corrupt, "tensor {}: shape {} has strides {}", escaped(tensor.name),
                tensor.shape.text(), tensor.strides.text());
  const auto product = checked_product(tensor.shape.axes());
  if (!product)
    return fail(Code::corrupt, "tensor {}: shape {} is not possible", escaped(tensor.name),
                tensor.shape.text());
  elements = *product;
  const auto units = stored_units(tensor);
  if (!units && tensor.layout == Layout::rows)
    return fail(Code::corrupt, "tensor {}: {} bytes are not whole blocks of {}",
                escaped(tensor.name), tensor.storage.size(), dtype_name(tensor.dtype));
  if (!units)
    return fail(Code::corrupt, "tensor {}: {} bytes of {} are no panels of width {}",
                escaped(tensor.name), tensor.storage.size(), dtype_name(tensor.dtype),
                tensor.panel_width);
  if (elements == 0) return {};
  const auto stored = tensor.computed
                          ? std::optional(static_cast<uint64_t>(tensor.computed->elements()))
                          : checked_mul(*units, static_cast<uint64_t>(size.elements));
  int64_t lowest = 0;
  int64_t highest = 0;
  if (!stored || !reach(tensor, lowest, highest) || lowest < 0 ||
      static_cast<uint64_t>(highest) >= *stored)
    return fail(Code::corrupt,
                "tensor {}: shape {} with strides {} and offset {} leaves its {} bytes of {}",
                escaped(tensor.name), tensor.shape.text(), tensor.strides.text(), tensor.offset,
                tensor.storage.size(), dtype_name(tensor.dtype));
  return {};
}

// Axes of one step are dropped, axes that continue each other joined (a contiguous tensor becomes a
// single run), backward ones turned round, and the rest sorted.
Walk plan(const StoredTensor& tensor) {
  Walk walk;
  walk.from = tensor.offset;
  const Shape dense = tensor.shape.contiguous_strides();
  for (int i = 0; i < tensor.shape.rank(); ++i) {
    if (tensor.shape[i] == 1) continue;
    Axis axis{tensor.shape[i], tensor.strides[i], dense[i]};
    if (walk.rank > 0) {
      Axis& outer = walk.axes[static_cast<size_t>(walk.rank - 1)];
      if (outer.from == axis.count * axis.from && outer.to == axis.count * axis.to) {
        outer = {outer.count * axis.count, axis.from, axis.to};
        continue;
      }
    }
    walk.axes[static_cast<size_t>(walk.rank++)] = axis;
  }
  for (int i = 0; i < walk.rank; ++i) {
    Axis& axis = walk.axes[static_cast<size_t>(i)];
    if (axis.from >= 0) continue;
    walk.from += (axis.count - 1) * axis.from;
    walk.to += (axis.count - 1) * axis.to;
    axis.from = -axis.from;
    axis.to = -axis.to;
  }
  // A repeated axis (step 0) goes outside, where it costs no second look at each block.
  std::stable_sort(walk.axes.begin(), walk.axes.begin() + walk.rank,
                   [](const Axis& a, const Axis& b) {
                     return a.from == 0 ? b.from != 0 : b.from != 0 && a.from > b.from;
                   });
  return walk;
}

// The two innermost loops: runs along the storage, `lanes` of them side by side. A tile is decoded
// run by run and written lane by lane.
Status copy_plane(const Source& source, int64_t from, float* out, int64_t to, const Axis& lanes,
                  const Axis& run, std::span<float> tile) {
  for (int64_t lane = 0; lane < lanes.count; lane += kTileLanes) {
    const int64_t lane_count = std::min(kTileLanes, lanes.count - lane);
    for (int64_t at = 0; at < run.count; at += kTileRun) {
      const int64_t count = std::min(kTileRun, run.count - at);
      for (int64_t i = 0; i < lane_count; ++i)
        SK_TRY_STATUS(source.take(from + (lane + i) * lanes.from + at * run.from, run.from, count,
                                  tile.data() + i * kTileRun));
      for (int64_t k = 0; k < count; ++k)
        for (int64_t i = 0; i < lane_count; ++i)
          out[to + (lane + i) * lanes.to + (at + k) * run.to] =
              tile[static_cast<size_t>(i * kTileRun + k)];
    }
  }
  return {};
}

Status copy(const Source& source, Walk walk, float* out) {
  Axis run{1, 1, 1};
  Axis lanes;
  if (walk.rank > 0) run = walk.axes[static_cast<size_t>(--walk.rank)];
  // Where the storage's runs are the output's too, they are decoded in place.
  const bool in_place = run.to == 1;
  if (!in_place && walk.rank > 0) {
    // Beside the run goes the loop that is fastest in the output.
    const auto end = walk.axes.begin() + walk.rank;
    const auto fastest = std::min_element(walk.axes.begin(), end, [](const Axis& a, const Axis& b) {
      return std::abs(a.to) < std::abs(b.to);
    });
    lanes = *fastest;
    std::rotate(fastest, fastest + 1, end);
    --walk.rank;
  }
  std::vector<float> tile(in_place ? 0 : kTileRun * kTileLanes);

  std::array<int64_t, Shape::kMaxAxes> index{};
  int64_t from = walk.from;
  int64_t to = walk.to;
  while (true) {
    SK_TRY_STATUS(in_place ? source.take(from, run.from, run.count, out + to)
                           : copy_plane(source, from, out, to, lanes, run, tile));
    int axis = walk.rank - 1;
    for (; axis >= 0; --axis) {
      const auto i = static_cast<size_t>(axis);
      from += walk.axes[i].from;
      to += walk.axes[i].to;
      if (++index[i] < walk.axes[i].count) break;
      from -= walk.axes[i].count * walk.axes[i].from;
      to -= walk.axes[i].count * walk.axes[i].to;
      index[i] = 0;
    }
    if (axis < 0) return {};
  }
}

}  // namespace

Status read_f32(const StoredTensor& tensor, std::span<float> out) {
  const FormatRow& row = format_row(tensor.dtype);
  if (row.decode == nullptr)
    return fail(Code::unsupported, "tensor {}: type {} is recognised but cannot be decoded",
                escaped(tensor.name), escaped(tensor.type_name(), 32));
  uint64_t elements = 0;
  SK_TRY_STATUS(validate(tensor, elements));
  if (out.size() != elements)
    return fail(Code::argument, "tensor {}: shape {} does not fit into {} numbers",
                escaped(tensor.name), tensor.shape.text(), out.size());
  if (elements == 0) return {};
  return copy(Source(tensor, row), plan(tensor), out.data());
}

Status read_rows_f32(const StoredTensor& tensor, int64_t first_row, int64_t rows,
                     std::span<float> out) {
  const int64_t count = tensor.shape.rank() > 0 ? tensor.shape[0] : 0;
  if (first_row < 0 || rows < 0 || first_row > count || rows > count - first_row ||
      tensor.strides.rank() != tensor.shape.rank())
    return fail(Code::argument, "tensor {}: shape {} has no {} rows from row {} on",
                escaped(tensor.name), tensor.shape.text(), rows, first_row);
  StoredTensor part = tensor;
  int64_t skipped = 0;
  if (__builtin_mul_overflow(first_row, rows > 0 ? tensor.strides[0] : 0, &skipped) ||
      __builtin_add_overflow(part.offset, skipped, &part.offset))
    return fail(Code::corrupt, "tensor {}: row {} lies outside its storage", escaped(tensor.name),
                first_row);
  part.shape[0] = rows;
  return read_f32(part, out);
}

Status read_row_blocks(const StoredTensor& tensor, int64_t first_row, int64_t rows,
                       std::span<std::byte> out) {
  SK_CHECK(tensor.layout == Layout::codes16 && tensor.shape.rank() == 2);
  uint64_t elements = 0;
  SK_TRY_STATUS(validate(tensor, elements));
  const BlockSize size = block_size(tensor.dtype);
  const int64_t width = tensor.panel_width;
  const int64_t row_blocks = width / size.elements;
  if (tensor.shape[1] != width || tensor.strides != tensor.shape.contiguous_strides() ||
      tensor.offset % width != 0 || first_row < 0 || rows < 0 || first_row > tensor.shape[0] ||
      rows > tensor.shape[0] - first_row ||
      static_cast<int64_t>(out.size()) != rows * row_blocks * size.bytes)
    return fail(Code::argument,
                "tensor {}: {} rows from row {} on of {} are not its rows of blocks",
                escaped(tensor.name), rows, first_row, tensor.shape.text());
  const int64_t panel_bytes = code_panels(tensor.dtype)->panel_bytes(width);
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t row = tensor.offset / width + first_row + i;
    if (!unpack_codes(tensor.dtype, tensor.storage.data() + row / kPanelRows * panel_bytes, width,
                      row % kPanelRows, 0, row_blocks, out.data() + i * row_blocks * size.bytes))
      return strange_codes(tensor.name, tensor.dtype, row);
  }
  return {};
}

Status read_range_f32(const StoredTensor& tensor, int64_t first, std::span<float> out) {
  if (out.empty()) return {};
  const auto count = static_cast<int64_t>(out.size());
  const int64_t elements = tensor.shape.elements();
  if (first < 0 || first > elements || count > elements - first)
    return fail(Code::argument, "tensor {}: shape {} has no {} numbers from {} on",
                escaped(tensor.name), tensor.shape.text(), count, first);
  if (tensor.shape.rank() == 0) return read_f32(tensor, out);
  const int64_t width = elements / tensor.shape[0];
  const int64_t row = first / width;
  const int64_t rows = (first + count - 1) / width - row + 1;
  if (first % width == 0 && rows * width == count) return read_rows_f32(tensor, row, rows, out);
  std::vector<float> whole(static_cast<size_t>(rows * width));
  SK_TRY_STATUS(read_rows_f32(tensor, row, rows, whole));
  std::copy_n(whole.begin() + (first - row * width), count, out.begin());
  return {};
}

}  // namespace skein::quant
