#include "ops/pack.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "quant/plain/bits.h"
#include "quant/read.h"

namespace skein::ops {
namespace {

using quant::element_bytes;
using quant::panel_bytes;
using quant::panels_of;
using quant::PanelType;

constexpr int64_t kPanel = quant::kPanelRows;

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

// Sixteen bytes at a time, spelled out because the compiler leaves a loop over bools alone: loading
// looks at every number of a model.
template <typename T>
bool none_of(const std::byte* numbers, int64_t count, T exponent) {
  using Vector [[gnu::vector_size(16)]] = T;
  constexpr auto kLanes = static_cast<int64_t>(sizeof(Vector) / sizeof(T));
  SK_CHECK(count % kLanes == 0);
  const Vector all = Vector{} + exponent;
  Vector strange = {};
  for (int64_t i = 0; i < count; i += kLanes) {
    Vector some;
    std::memcpy(&some, numbers + i * int64_t{sizeof(T)}, sizeof(some));
    strange |= (some & all) == all;
  }
  uint64_t halves[2];
  std::memcpy(halves, &strange, sizeof(strange));
  return (halves[0] | halves[1]) == 0;
}

// Whether `count` numbers, those of whole panels, are finite: a step that skips zeros, too, takes a
// zero times each of them for nothing.
bool are_finite(PanelType type, const std::byte* numbers, int64_t count) {
  switch (type) {
    case PanelType::f32: return none_of<uint32_t>(numbers, count, 0x7f800000);
    case PanelType::f16: return none_of<uint16_t>(numbers, count, 0x7c00);
    case PanelType::bf16: return none_of<uint16_t>(numbers, count, 0x7f80);
    case PanelType::codes:
    case PanelType::nf4:
    case PanelType::mxfp4:
    case PanelType::int8: break;
  }
  return true;  // scales were checked when the panels were packed or mapped
}

// Panels of numbers that were just packed.
Status check_numbers(const StoredTensor& tensor, PanelType type, int64_t row, int64_t count,
                     const std::byte* panel) {
  if (are_finite(type, panel, kPanel * tensor.shape[1])) return {};
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

bool may_be_halves(const StoredTensor& tensor) {
  return tensor.dtype == DType::f32 && !tensor.computed;
}

// How a matrix is packed. F32 whose numbers all are those of a half type, as converters write what
// was one, becomes that again: the same products, half the bytes. What is computed while it is read
// would be computed twice, and stays. `whole`: its rows if they were read already.
Result<PanelType> narrowest(const StoredTensor& tensor, const Packing& packing,
                            std::span<const float> whole, Pool& pool) {
  if (!may_be_halves(tensor)) return packing.type;
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

}  // namespace

Packing likely_packing(const WeightData& weight) {
  Packing packing = packing_of(weight);
  const StoredTensor& tensor = weight.tensor;
  // A row of a transposed matrix lies in as many pages as the whole of it.
  const bool looks = packing.source == Packing::Source::numbers &&
                     weight.use == WeightUse::matrix && may_be_halves(tensor) &&
                     tensor.shape[0] > 0 && tensor.strides == tensor.shape.contiguous_strides();
  if (!looks) return packing;
  if (weight.thought) {
    packing.type = *weight.thought;
  } else {
    std::vector<float> row(static_cast<size_t>(tensor.shape[1]));
    if (!quant::read_rows_f32(tensor, 0, 1, row)) return packing;  // pack_matrix() will say it
    packing.type = are_bf16(row) ? PanelType::bf16 : are_f16(row) ? PanelType::f16 : packing.type;
  }
  packing.bytes = buffer_bytes(packing.type, packing.codes, tensor.shape[0], tensor.shape[1]);
  return packing;
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

Result<quant::PanelType> pack_matrix(const StoredTensor& tensor, const Packing& packing, Pool& pool,
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

}  // namespace skein::ops
