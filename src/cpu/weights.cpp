#include "cpu/weights.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/finite.h"
#include "cpu/packing.h"
#include "cpu/records.h"
#include "quant/panels.h"
#include "quant/plain/bits.h"
#include "quant/read.h"

namespace skein::cpu {
namespace {

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

// Rows of blocks can hold scales that are no numbers, and F64 what is too large for F32; a step
// must not be the first to find out.
Status check_table(const StoredTensor& table, Pool& pool) {
  const BlockSize block = block_size(table.dtype);
  const int64_t rows = table.shape[0], row_blocks = table.shape[1] / block.elements;
  if ((block.elements == 1 && table.dtype != DType::f64) || rows == 0) return {};
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

// The same for panels that stay in the file: kernels take a code for what it is, and everybody else
// by way of a block.
Status check_panels(const StoredTensor& tensor, const Packing& packing, Pool& pool) {
  const int64_t rows = tensor.shape[0], width = tensor.shape[1];
  const int64_t bytes = packing.codes.panel_bytes(width);
  return run_shares(pool, panels_of(rows), [&](Range panels) -> Status {
    for (int64_t p = panels.begin; p < panels.end; ++p) {
      const int64_t first = p * kPanel, count = std::min(kPanel, rows - first);
      if (!quant::codes_are_valid(tensor.dtype, packing.mapped.data() + p * bytes, count, width))
        return fail(Code::corrupt,
                    "tensor {}: its {} panels have a scale that is not finite, or codes that {} "
                    "does not have, in rows {} to {}",
                    escaped(tensor.name), dtype_name(tensor.dtype), dtype_name(tensor.dtype), first,
                    first + count - 1);
    }
    return {};
  });
}

// Rows of blocks. The reader says what is wrong with one.
Status pack_blocks(const StoredTensor& tensor, const Packing& packing, Range panels,
                   std::byte* out) {
  const int64_t width = tensor.shape[1];
  const BlockSize block = block_size(tensor.dtype);
  const int64_t row_bytes = width / block.elements * block.bytes;
  const int64_t bytes = panel_bytes(packing.type, packing.codes, width);
  const auto pack = packing.type == PanelType::codes ? quant::pack_codes : quant::pack_levels;
  std::vector<std::byte> unpacked;  // of panels that do not begin where these do
  for (int64_t p = panels.begin; p < panels.end; ++p) {
    const Range rows{p * kPanel, std::min((p + 1) * kPanel, tensor.shape[0])};
    const int64_t count = rows.end - rows.begin;
    const std::byte* blocks = nullptr;
    if (tensor.layout == Layout::rows) {
      const int64_t first = (tensor.offset + rows.begin * width) / block.elements * block.bytes;
      blocks = tensor.storage.data() + first;
    } else {
      unpacked.resize(static_cast<size_t>(count * row_bytes));
      SK_TRY_STATUS(quant::read_row_blocks(tensor, rows.begin, count, unpacked));
      blocks = unpacked.data();
    }
    if (!pack(tensor.dtype, blocks, count, width, out + p * bytes)) return check_rows(tensor, rows);
  }
  return {};
}

// Panels of numbers that were just packed.
Status check_numbers(const StoredTensor& tensor, PanelType type, int64_t row, int64_t count,
                     const std::byte* panel) {
  if (numbers_are_finite(type, panel, kPanel * tensor.shape[1])) return {};
  return fail(Code::corrupt, "tensor {}: a number in rows {} to {} is not finite",
              escaped(tensor.name), row, row + count - 1);
}

// Rows of halves: nearly all matrices of a real model, without a detour through f32.
Status pack_halves(const StoredTensor& tensor, PanelType type, Range panels, std::byte* out) {
  const int64_t width = tensor.shape[1];
  for (int64_t p = panels.begin; p < panels.end; ++p) {
    const int64_t row = p * kPanel, count = std::min(kPanel, tensor.shape[0] - row);
    std::byte* panel = out + row * width * 2;
    quant::pack_numbers(2, tensor.storage.data() + (tensor.offset + row * width) * 2, count, width,
                        panel);
    SK_TRY_STATUS(check_numbers(tensor, type, row, count, panel));
  }
  return {};
}

// Any numbers. `whole`: its rows if they were read already.
Status pack_numbers(const StoredTensor& tensor, PanelType type, std::span<const float> whole,
                    Range panels, std::byte* out) {
  const int64_t width = tensor.shape[1];
  std::vector<float> read;
  std::vector<uint16_t> halves;
  for (int64_t p = panels.begin; p < panels.end; ++p) {
    const int64_t row = p * kPanel;
    const int64_t count = std::min(kPanel, tensor.shape[0] - row);
    auto rows = whole.empty() ? whole : whole.subspan(static_cast<size_t>(row * width));
    if (whole.empty()) {
      read.resize(static_cast<size_t>(count * width));
      SK_TRY_STATUS(quant::read_rows_f32(tensor, row, count, read));
      rows = read;
    }
    std::byte* panel = out + row * width * element_bytes(type);
    pack_floats(rows.first(static_cast<size_t>(count * width)), width, type, halves, panel);
    SK_TRY_STATUS(check_numbers(tensor, type, row, count, panel));
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
Result<PanelType> narrowest(const StoredTensor& tensor, const Packing& packing,
                            std::span<const float> whole, Pool& pool) {
  if (tensor.dtype != DType::f32 || tensor.computed) return packing.type;
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
Result<PanelType> pack_matrix(const StoredTensor& tensor, const Packing& packing, Pool& pool,
                              std::byte* out) {
  const int64_t rows = tensor.shape[0];
  if (rows == 0) return packing.type;
  // The last row's reading checks that the storage holds them all.
  SK_TRY_STATUS(check_rows(tensor, {rows - 1, rows}));
  // A transposed matrix is read whole: its rows lie across the file, and reading them panel by
  // panel would walk all of it each time.
  std::vector<float> whole;
  if (tensor.strides != tensor.shape.contiguous_strides()) {
    whole.resize(static_cast<size_t>(tensor.shape.elements()));
    SK_TRY_STATUS(quant::read_f32(tensor, whole));
  }
  SK_TRY(const PanelType type, narrowest(tensor, packing, whole, pool));
  SK_TRY_STATUS(run_shares(pool, panels_of(rows), [&](Range panels) -> Status {
    switch (packing.source) {
      case Packing::Source::blocks: return pack_blocks(tensor, packing, panels, out);
      case Packing::Source::halves: return pack_halves(tensor, type, panels, out);
      default: return pack_numbers(tensor, type, whole, panels, out);
    }
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

namespace {

int64_t sum_of_bytes(std::span<const Packing> packings) {
  int64_t bytes = 0;
  for (const Packing& packing : packings) bytes += packing.bytes;
  return bytes;
}

}  // namespace

int64_t PackedWeights::widest_row(std::span<const ops::WeightData> weights) {
  int64_t bytes = 0;
  for (const ops::WeightData& weight : weights) {
    if (!weight.present || weight.use != ops::WeightUse::matrix) continue;
    const int64_t in = weight.tensor.shape[1];
    bytes = std::max(bytes, FastRow{in}.bytes());
    const Packing packing = packing_of(weight);
    if (packing.type != PanelType::codes) continue;
    const int group = packing.codes.group;
    bytes = std::max(
        {bytes, QuantisedRow{in, group}.bytes(), FastRow{in, FastForm::bytes, group}.bytes()});
  }
  return bytes;
}

int64_t PackedWeights::widest_unpacked(std::span<const ops::WeightData> weights) {
  int64_t bytes = 0;
  for (const ops::WeightData& weight : weights) {
    const Packing packing = packing_of(weight);
    if (packing.bytes == 0 || weight.use != ops::WeightUse::matrix) continue;
    const Shape& shape = weight.tensor.shape;
    if (!cpu::can_be_records(packing.type, shape[0], shape[1])) continue;
    bytes = std::max(bytes, std::min(kUnpackedPanels, shape[0] / kPanel) *
                                panel_bytes(packing.type, packing.codes, shape[1]));
  }
  return bytes;
}

int64_t PackedWeights::resident_bytes(std::span<const ops::WeightData> weights) {
  const auto packings = packings_of(weights);
  int64_t bytes = sum_of_bytes(packings);
  for (const Packing& packing : packings) bytes += static_cast<int64_t>(packing.mapped.size());
  return bytes;
}

int64_t PackedWeights::scratch_bytes(std::span<const ops::WeightData> weights) {
  // Pages of the file that are being read, and the f32 copy of a transposed matrix. A large weight
  // that comes early needs no more than those after it will take.
  int64_t most = 0, packed = 0;
  for (const ops::WeightData& weight : weights) {
    const Packing packing = packing_of(weight);
    if (packing.bytes == 0) continue;
    packed += packing.bytes;
    const StoredTensor& tensor = weight.tensor;
    const bool whole =
        weight.use == ops::WeightUse::matrix && tensor.strides != tensor.shape.contiguous_strides();
    most = std::max(most, packed + static_cast<int64_t>(tensor.storage.size()) +
                              (whole ? tensor.shape.elements() * 4 : 0));
  }
  return std::max<int64_t>(most - packed, 0);
}

// Where a weight is kept that is no panel of the file: in the buffer, or a table in the file.
Result<int64_t> PackedWeights::keep(const ops::WeightData& weight, const Packing& packing,
                                    Pool& pool, std::byte* at, PackedWeight& out) {
  const StoredTensor& tensor = weight.tensor;
  out.data = at;
  if (weight.use == ops::WeightUse::matrix) {
    out.codes = packing.codes;
    SK_TRY(out.type, pack_matrix(tensor, packing, pool, at));
    return buffer_bytes(out.type, out.codes, out.rows, out.width);
  }
  if (packing.source == Packing::Source::in_place) {
    out.table = tensor;
    SK_TRY_STATUS(check_table(tensor, pool));
    return 0;
  }
  const auto floats =
      std::span(reinterpret_cast<float*>(at), static_cast<size_t>(tensor.shape.elements()));
  SK_TRY_STATUS(quant::read_f32(tensor, floats));
  if (weight.use == ops::WeightUse::vector && !all_finite(floats))
    return fail(Code::corrupt, "tensor {}: it has a number that is not finite",
                escaped(tensor.name));
  if (weight.use == ops::WeightUse::table)
    out.table = {.name = tensor.name,
                 .dtype = DType::f32,
                 .shape = tensor.shape,
                 .strides = tensor.shape.contiguous_strides(),
                 .offset = 0,
                 .storage = std::as_bytes(floats)};
  return packing.bytes;
}

Result<PackedWeights> PackedWeights::pack(std::span<const ops::WeightData> weights, Pool& pool,
                                          const std::function<void(const ops::WeightData&)>& done,
                                          const std::function<bool(int64_t)>& progress) {
  PackedWeights packed;
  const auto packings = packings_of(weights);
  SK_TRY(packed.buffer_, Buffer::make(static_cast<size_t>(sum_of_bytes(packings))));
  packed.widest_row_ = widest_row(weights);
  std::byte* at = packed.buffer_.data();
  int64_t bytes_done = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const ops::WeightData& weight = weights[i];
    const Packing& packing = packings[i];
    PackedWeight& out = packed.weights_.emplace_back();
    out.use = weight.use;
    if (!weight.present) continue;
    const StoredTensor& tensor = weight.tensor;
    out.rows = weight.use == ops::WeightUse::vector ? 1 : tensor.shape[0];
    out.width = weight.use == ops::WeightUse::vector ? tensor.shape.elements() : tensor.shape[1];
    bytes_done += static_cast<int64_t>(tensor.storage.size());
    if (!packing.mapped.empty()) {
      out.type = packing.type;
      out.codes = packing.codes;
      out.data = packing.mapped.data();
      packed.mapped_.push_back(packing.mapped);
      if (out.type == PanelType::codes) SK_TRY_STATUS(check_panels(tensor, packing, pool));
      continue;
    }
    SK_TRY(const int64_t bytes, packed.keep(weight, packing, pool, at, out));
    at += bytes;
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
    if (static_cast<int64_t>(panels.size()) < bytes) {
      panels = Buffer();
      SK_TRY(panels, Buffer::make(static_cast<size_t>(bytes)));
    }
    std::memcpy(panels.data(), matrix.data, static_cast<size_t>(bytes));
    const int64_t grain = matrix.type == PanelType::codes ? matrix.codes.block : 1;
    SK_TRY_STATUS(pool.run([&](int thread) {
      cpu::make_records(matrix.type, matrix.codes, panels.data(), matrix.rows, matrix.width,
                        share(matrix.width, thread, pool.size(), grain), buffer_.data() + at);
    }));
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
