#include "cpu/weights.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "cpu/records.h"
#include "quant/panels.h"
#include "quant/plain/bits.h"
#include "quant/read.h"

namespace skein::cpu {
namespace {

constexpr int64_t kAlign = 64;

// Whether rows lie one after the other, each in whole blocks.
bool has_plain_rows(const StoredTensor& tensor) {
  return !tensor.computed && tensor.layout == Layout::rows &&
         tensor.strides == tensor.shape.contiguous_strides() &&
         tensor.offset % block_size(tensor.dtype).elements == 0 &&
         tensor.shape[1] % block_size(tensor.dtype).elements == 0;
}

// Whether the storage is the matrix itself in panels, at an address that kernels take.
bool holds_panels(const StoredTensor& tensor, Layout layout) {
  return tensor.layout == layout && tensor.offset == 0 && tensor.shape[1] == tensor.panel_width &&
         tensor.strides == tensor.shape.contiguous_strides() &&
         reinterpret_cast<uintptr_t>(tensor.storage.data()) % kAlign == 0;
}

// A table is used where it lies in the file unless its rows are not contiguous there.
bool stays_in_file(const StoredTensor& tensor) { return has_plain_rows(tensor); }

// Half types stay as they are and blocks keep their codes. Everything else becomes f32: a quantised
// weight's value has more digits than a half can hold.
PanelType panel_type(const StoredTensor& tensor) {
  if (tensor.dtype == DType::f16) return PanelType::f16;
  if (tensor.dtype == DType::bf16) return PanelType::bf16;
  if (quant::code_panels(tensor.dtype))
    return has_plain_rows(tensor) || holds_panels(tensor, Layout::codes16) ? PanelType::codes
                                                                           : PanelType::f32;
  if (!has_plain_rows(tensor)) return PanelType::f32;
  switch (tensor.dtype) {
    case DType::nf4: return PanelType::nf4;
    case DType::mxfp4: return PanelType::mxfp4;
    case DType::int8: return PanelType::int8;
    default: return PanelType::f32;
  }
}

bool holds_numbers(PanelType type) { return type != PanelType::codes && !levels_of(type); }
int64_t element_bytes(PanelType type) { return type == PanelType::f32 ? 4 : 2; }

int64_t panel_bytes(PanelType type, const CodePanels& codes, int64_t width) {
  if (type == PanelType::codes) return codes.panel_bytes(width);
  const LevelPanels* levels = levels_of(type);
  return levels ? levels->panel_bytes(width) : width * kPanel * element_bytes(type);
}

CodePanels codes_of(const StoredTensor& tensor) {
  return panel_type(tensor) == PanelType::codes ? *quant::code_panels(tensor.dtype) : CodePanels{};
}

int64_t panels_of(const StoredTensor& tensor) { return (tensor.shape[0] + kPanel - 1) / kPanel; }

int64_t matrix_bytes(const StoredTensor& tensor, PanelType type) {
  return panels_of(tensor) * panel_bytes(type, codes_of(tensor), tensor.shape[1]);
}

int64_t aligned(int64_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

// A matrix that its file holds as this page of code would pack it is used where it lies.
bool is_packed(const ops::WeightData& weight) {
  const StoredTensor& tensor = weight.tensor;
  if (weight.use != ops::WeightUse::matrix) return false;
  const PanelType type = panel_type(tensor);
  const bool held = type == PanelType::codes
                        ? holds_panels(tensor, Layout::codes16)
                        : holds_numbers(type) && holds_panels(tensor, Layout::panels16) &&
                              element_bytes(type) == block_size(tensor.dtype).bytes;
  return held && static_cast<int64_t>(tensor.storage.size()) == matrix_bytes(tensor, type);
}

// At most: `narrowest` may find less.
int64_t packed_bytes(const ops::WeightData& weight) {
  if (!weight.present || is_packed(weight)) return 0;
  const Shape& shape = weight.tensor.shape;
  int64_t bytes = 0;
  switch (weight.use) {
    case ops::WeightUse::vector: bytes = shape.elements() * 4; break;
    case ops::WeightUse::table:
      bytes = stays_in_file(weight.tensor) ? 0 : shape.elements() * 4;
      break;
    case ops::WeightUse::matrix:
      bytes = matrix_bytes(weight.tensor, panel_type(weight.tensor));
      break;
  }
  return aligned(bytes);
}

// Sixteen rows of f32 or less into a panel of numbers, which are exactly of that type. `halves` is
// for as many halves.
void pack_floats(std::span<const float> rows, int64_t width, PanelType type,
                 std::vector<uint16_t>& halves, std::byte* panel) {
  const auto count = static_cast<int64_t>(rows.size()) / width;
  if (type == PanelType::f32)
    return quant::pack_numbers(4, std::as_bytes(rows).data(), count, width, panel);
  halves.resize(rows.size());
  const auto convert = [&](auto half) {
    std::transform(rows.begin(), rows.end(), halves.begin(), half);
  };
  if (type == PanelType::f16)
    convert([](float value) { return quant::exact_f16(value); });
  else
    convert(
        [](float value) { return static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16); });
  quant::pack_numbers(2, std::as_bytes(std::span(halves)).data(), count, width, panel);
}

// Rows [first, last) of a matrix or table, read for what a reader says of them.
Status check_rows(const StoredTensor& tensor, Range rows) {
  std::vector<float> row(static_cast<size_t>(tensor.shape[1]));
  for (int64_t r = rows.begin; r < rows.end; ++r)
    SK_TRY_STATUS(quant::read_rows_f32(tensor, r, 1, row));
  return {};
}

// Rows of blocks can hold scales that are no numbers; a step must not be the first to find out.
Status check_table(const StoredTensor& table, Pool& pool) {
  const BlockSize block = block_size(table.dtype);
  const int64_t rows = table.shape[0], row_blocks = table.shape[1] / block.elements;
  if (block.elements == 1 || rows == 0) return {};
  SK_TRY_STATUS(check_rows(table, {rows - 1, rows}));  // and that the storage holds them all
  const std::byte* blocks = table.storage.data() + table.offset / block.elements * block.bytes;
  return run_shares(pool, rows, [&](Range part) -> Status {
    // To look at scales only takes a tenth of the time of reading.
    if (quant::code_panels(table.dtype) &&
        quant::blocks_are_finite(table.dtype, blocks + part.begin * row_blocks * block.bytes,
                                 (part.end - part.begin) * row_blocks))
      return {};
    return check_rows(table, part);
  });
}

// The same for panels that stay in the file.
Status check_panels(const StoredTensor& tensor, Pool& pool) {
  const int64_t bytes = codes_of(tensor).panel_bytes(tensor.shape[1]);
  return run_shares(pool, panels_of(tensor), [&](Range panels) -> Status {
    for (int64_t p = panels.begin; p < panels.end; ++p)
      if (!quant::codes_are_finite(tensor.dtype, tensor.storage.data() + p * bytes,
                                   tensor.shape[1]))
        return fail(
            Code::corrupt, "tensor {}: its {} data has a scale that is not finite in rows {} to {}",
            escaped(tensor.name), dtype_name(tensor.dtype), p * kPanel, p * kPanel + kPanel - 1);
    return {};
  });
}

// The reader says what is wrong with a block.
Status pack_blocks(const StoredTensor& tensor, Range panels, std::byte* out) {
  const int64_t width = tensor.shape[1];
  const BlockSize block = block_size(tensor.dtype);
  const PanelType type = panel_type(tensor);
  const int64_t bytes = panel_bytes(type, codes_of(tensor), width);
  const auto pack = type == PanelType::codes ? quant::pack_codes : quant::pack_levels;
  for (int64_t p = panels.begin; p < panels.end; ++p) {
    const Range rows{p * kPanel, std::min((p + 1) * kPanel, tensor.shape[0])};
    const int64_t at = (tensor.offset + rows.begin * width) / block.elements * block.bytes;
    if (!pack(tensor.dtype, tensor.storage.data() + at, rows.end - rows.begin, width,
              out + p * bytes))
      return check_rows(tensor, rows);
  }
  return {};
}

// A matrix of numbers. `whole`: its rows if they were read already.
Status pack_panels(const StoredTensor& tensor, PanelType type, std::span<const float> whole,
                   Range panels, std::byte* out) {
  const int64_t width = tensor.shape[1];
  const bool direct = block_size(tensor.dtype).bytes == 2 && has_plain_rows(tensor);
  std::vector<float> read;
  std::vector<uint16_t> halves;
  for (int64_t p = panels.begin; p < panels.end; ++p) {
    const int64_t row = p * kPanel;
    const int64_t count = std::min(kPanel, tensor.shape[0] - row);
    std::byte* panel = out + row * width * element_bytes(type);
    if (direct) {
      // Nearly all matrices of a real model: no detour through f32.
      quant::pack_numbers(2, tensor.storage.data() + (tensor.offset + row * width) * 2, count,
                          width, panel);
      continue;
    }
    auto rows = whole.empty() ? whole : whole.subspan(static_cast<size_t>(row * width));
    if (whole.empty()) {
      read.resize(static_cast<size_t>(count * width));
      SK_TRY_STATUS(quant::read_rows_f32(tensor, row, count, read));
      rows = read;
    }
    pack_floats(rows.first(static_cast<size_t>(count * width)), width, type, halves, panel);
  }
  return {};
}

// No way out of these loops, so that they become a vector's.
bool are_f16(std::span<const float> numbers) {
  uint32_t other = 0;
  for (const float number : numbers)
    other |= std::bit_cast<uint32_t>(quant::f16_to_f32(quant::exact_f16(number))) ^
             std::bit_cast<uint32_t>(number);
  return other == 0;
}
bool are_bf16(std::span<const float> numbers) {
  uint32_t bits = 0;
  for (const float number : numbers) bits |= std::bit_cast<uint32_t>(number);
  return (bits & 0xffff) == 0;
}

// How a matrix is packed. F32 whose numbers all are those of a half type, as converters write what
// was one, becomes that again: the same products, half the bytes. What is computed while it is read
// would be computed twice, and stays. `whole`: its rows if they were read already.
Result<PanelType> narrowest(const StoredTensor& tensor, std::span<const float> whole, Pool& pool) {
  if (tensor.dtype != DType::f32 || tensor.computed) return panel_type(tensor);
  const auto width = static_cast<size_t>(tensor.shape[1]);
  std::atomic<bool> f16 = true, bf16 = true;
  const auto look = [&](Range rows) -> Status {
    std::vector<float> read;
    for (int64_t r = rows.begin; r < rows.end && (f16 || bf16); ++r) {
      if (whole.empty()) {
        read.resize(width);
        SK_TRY_STATUS(quant::read_rows_f32(tensor, r, 1, read));
      }
      const auto row = whole.empty() ? std::span<const float>(read)
                                     : whole.subspan(static_cast<size_t>(r) * width, width);
      if (bf16 && !are_bf16(row)) bf16 = false;
      if (f16 && !are_f16(row)) f16 = false;
    }
    return {};
  };
  SK_TRY_STATUS(run_shares(pool, tensor.shape[0], look));
  return bf16 ? PanelType::bf16 : f16 ? PanelType::f16 : PanelType::f32;
}

// The type it got.
Result<PanelType> pack_matrix(const StoredTensor& tensor, Pool& pool, std::byte* out) {
  const int64_t rows = tensor.shape[0];
  if (rows == 0) return panel_type(tensor);
  // The last row's reading checks that the storage holds them all.
  SK_TRY_STATUS(check_rows(tensor, {rows - 1, rows}));
  // A transposed matrix is read whole: its rows lie across the file, and reading them panel by
  // panel would walk all of it each time.
  std::vector<float> whole;
  if (tensor.strides != tensor.shape.contiguous_strides()) {
    whole.resize(static_cast<size_t>(tensor.shape.elements()));
    SK_TRY_STATUS(quant::read_f32(tensor, whole));
  }
  SK_TRY(const PanelType type, narrowest(tensor, whole, pool));
  SK_TRY_STATUS(run_shares(pool, panels_of(tensor), [&](Range panels) {
    return holds_numbers(type) ? pack_panels(tensor, type, whole, panels, out)
                               : pack_blocks(tensor, panels, out);
  }));
  return type;
}

}  // namespace

int64_t PackedWeight::bytes_read() const {
  switch (use) {
    case ops::WeightUse::table: return 0;
    case ops::WeightUse::vector: return width * int64_t{sizeof(float)};
    case ops::WeightUse::matrix: break;
  }
  const int64_t bytes = rows * panel_bytes(type, codes, width) / kPanel;
  return records ? static_cast<int64_t>(read_share * static_cast<double>(bytes)) : bytes;
}

PanelType PackedWeights::panel_type(const ops::WeightData& matrix) {
  return cpu::panel_type(matrix.tensor);
}

int64_t PackedWeights::buffer_bytes(std::span<const ops::WeightData> weights) {
  int64_t bytes = 0;
  for (const ops::WeightData& weight : weights) bytes += packed_bytes(weight);
  return bytes;
}

int64_t PackedWeights::widest_row(std::span<const ops::WeightData> weights) {
  int64_t bytes = 0;
  for (const ops::WeightData& weight : weights) {
    if (!weight.present || weight.use != ops::WeightUse::matrix) continue;
    const int64_t in = weight.tensor.shape[1];
    bytes = std::max(bytes, FastRow{in}.bytes());
    if (cpu::panel_type(weight.tensor) != PanelType::codes) continue;
    const int group = codes_of(weight.tensor).group;
    bytes = std::max(
        {bytes, QuantisedRow{in, group}.bytes(), FastRow{in, FastForm::bytes, group}.bytes()});
  }
  return bytes;
}

int64_t PackedWeights::widest_unpacked(std::span<const ops::WeightData> weights) {
  int64_t bytes = 0;
  for (const ops::WeightData& weight : weights) {
    const StoredTensor& tensor = weight.tensor;
    if (!weight.present || weight.use != ops::WeightUse::matrix) continue;
    const PanelType type = cpu::panel_type(tensor);
    if (!cpu::can_be_records(type, tensor.shape[0], tensor.shape[1])) continue;
    bytes = std::max(bytes, std::min(kUnpackedPanels, tensor.shape[0] / kPanel) *
                                panel_bytes(type, codes_of(tensor), tensor.shape[1]));
  }
  return bytes;
}

int64_t PackedWeights::resident_bytes(std::span<const ops::WeightData> weights) {
  int64_t bytes = buffer_bytes(weights);
  for (const ops::WeightData& weight : weights)
    if (weight.present && is_packed(weight))
      bytes += static_cast<int64_t>(weight.tensor.storage.size());
  return bytes;
}

int64_t PackedWeights::scratch_bytes(std::span<const ops::WeightData> weights) {
  // Pages of the file that are being read, and the f32 copy of a transposed matrix. A large weight
  // that comes early needs no more than those after it will take.
  int64_t most = 0, packed = 0;
  for (const ops::WeightData& weight : weights) {
    if (!weight.present || is_packed(weight)) continue;
    packed += packed_bytes(weight);
    if (weight.use == ops::WeightUse::table) continue;
    const StoredTensor& tensor = weight.tensor;
    const bool whole = tensor.strides != tensor.shape.contiguous_strides();
    most = std::max(most, packed + static_cast<int64_t>(tensor.storage.size()) +
                              (whole ? tensor.shape.elements() * 4 : 0));
  }
  return std::max<int64_t>(most - packed, 0);
}

Result<PackedWeights> PackedWeights::pack(std::span<const ops::WeightData> weights, Pool& pool,
                                          const std::function<void(const ops::WeightData&)>& done,
                                          const ops::Progress& progress) {
  PackedWeights packed;
  SK_TRY(packed.buffer_, Buffer::make(static_cast<size_t>(buffer_bytes(weights))));
  packed.widest_row_ = widest_row(weights);
  std::byte* at = packed.buffer_.data();
  int64_t bytes_done = 0;
  for (const ops::WeightData& weight : weights) {
    PackedWeight& out = packed.weights_.emplace_back();
    out.use = weight.use;
    if (!weight.present) continue;
    const StoredTensor& tensor = weight.tensor;
    out.rows = weight.use == ops::WeightUse::vector ? 1 : tensor.shape[0];
    out.width = weight.use == ops::WeightUse::vector ? tensor.shape.elements() : tensor.shape[1];
    bytes_done += static_cast<int64_t>(tensor.storage.size());
    if (is_packed(weight)) {
      out.type = cpu::panel_type(tensor);
      out.codes = codes_of(tensor);
      out.data = tensor.storage.data();
      packed.mapped_.push_back(tensor.storage);
      if (out.type == PanelType::codes) SK_TRY_STATUS(check_panels(tensor, pool));
      continue;
    }
    out.data = at;
    const auto floats =
        std::span(reinterpret_cast<float*>(at), static_cast<size_t>(tensor.shape.elements()));
    if (weight.use == ops::WeightUse::matrix) {
      out.codes = codes_of(tensor);
      SK_TRY(out.type, pack_matrix(tensor, pool, at));
    } else if (weight.use == ops::WeightUse::vector) {
      SK_TRY_STATUS(quant::read_f32(tensor, floats));
    } else if (stays_in_file(tensor)) {
      out.table = tensor;
      SK_TRY_STATUS(check_table(tensor, pool));
    } else {
      SK_TRY_STATUS(quant::read_f32(tensor, floats));
      out.table = {.name = tensor.name,
                   .dtype = DType::f32,
                   .shape = tensor.shape,
                   .strides = tensor.shape.contiguous_strides(),
                   .offset = 0,
                   .storage = std::as_bytes(floats)};
    }
    at += weight.use == ops::WeightUse::matrix ? aligned(matrix_bytes(tensor, out.type))
                                               : packed_bytes(weight);
    if (done) done(weight);
    if (progress && !progress(bytes_done)) return fail(Code::io, "interrupted while loading");
  }
  packed.used_ = at - packed.buffer_.data();
  std::sort(packed.mapped_.begin(), packed.mapped_.end(),
            [](const auto& a, const auto& b) { return a.data() < b.data(); });
  return packed;
}

bool PackedWeights::can_be_records(ops::WeightId id) const {
  const PackedWeight& matrix = weights_[static_cast<size_t>(id)];
  const std::less<> before;
  const bool own = matrix.data && !before(matrix.data, buffer_.data()) &&
                   before(matrix.data, buffer_.data() + buffer_.size());
  return own && cpu::can_be_records(matrix.type, matrix.rows, matrix.width);
}

Status PackedWeights::make_records(std::span<const ops::WeightId> matrices, double read_share,
                                   Pool& pool) {
  Buffer panels;
  for (const ops::WeightId id : matrices) {
    PackedWeight& matrix = weights_[static_cast<size_t>(id)];
    if (!can_be_records(id)) continue;
    const std::ptrdiff_t at = matrix.data - buffer_.data();
    const int64_t panel = panel_bytes(matrix.type, matrix.codes, matrix.width);
    const int64_t bytes = matrix.rows / kPanel * panel;
    if (!all_finite(matrix.type, matrix.data, matrix.rows * matrix.width)) continue;
    if (static_cast<int64_t>(panels.size()) < bytes) {
      panels = Buffer();
      SK_TRY(panels, Buffer::make(static_cast<size_t>(bytes)));
    }
    std::memcpy(panels.data(), matrix.data, static_cast<size_t>(bytes));
    const int64_t grain = matrix.type == PanelType::codes ? matrix.codes.block : 1;
    pool.run([&](int thread) {
      cpu::make_records(matrix.type, matrix.codes, panels.data(), matrix.rows, matrix.width,
                        share(matrix.width, thread, pool.size(), grain), buffer_.data() + at);
    });
    matrix.records = true;
    matrix.read_share = read_share;
    unpacked_bytes_ =
        std::max(unpacked_bytes_, std::min(kUnpackedPanels, matrix.rows / kPanel) * panel);
  }
  return {};
}

int64_t PackedWeights::bytes() const {
  int64_t bytes = used_;
  for (const auto part : mapped_) bytes += static_cast<int64_t>(part.size());
  return bytes;
}

std::span<const std::byte> PackedWeights::memory() const {
  std::span<const std::byte> longest(buffer_.data(), static_cast<size_t>(used_));
  std::span<const std::byte> run;
  for (const auto part : mapped_) {
    // Of what separates neighbours in a file less than a page, each byte is mapped with one of
    // them.
    constexpr std::ptrdiff_t kPage = 4096;
    const std::byte* end = run.data() + run.size();
    const bool follows = !run.empty() && part.data() >= end && part.data() - end < kPage;
    run = follows ? std::span(run.data(), part.data() + part.size()) : part;
    if (run.size() > longest.size()) longest = run;
  }
  return longest;
}

}  // namespace skein::cpu
