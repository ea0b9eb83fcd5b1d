#include "cpu/weights.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "cpu/quant_panels.h"
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

// A table is used where it lies in the file unless its rows are not contiguous there.
bool stays_in_file(const StoredTensor& tensor) { return has_plain_rows(tensor); }

// Half types stay as they are and rows of blocks keep their codes. Everything else becomes f32: a
// quantised weight's value has more digits than a half can hold.
PanelType panel_type(const StoredTensor& tensor) {
  if (tensor.dtype == DType::f16) return PanelType::f16;
  if (tensor.dtype == DType::bf16) return PanelType::bf16;
  return has_plain_rows(tensor) && code_panels(tensor.dtype) ? PanelType::codes : PanelType::f32;
}

int64_t element_bytes(PanelType type) { return type == PanelType::f32 ? 4 : 2; }

int64_t panel_bytes(PanelType type, const CodePanels& codes, int64_t width) {
  return type == PanelType::codes ? codes.panel_bytes(width) : width * kPanel * element_bytes(type);
}

CodePanels codes_of(const StoredTensor& tensor) {
  return panel_type(tensor) == PanelType::codes ? *code_panels(tensor.dtype) : CodePanels{};
}

// A matrix that its file holds as this page of code would pack it is used where it lies.
bool is_packed(const ops::WeightData& weight) {
  const StoredTensor& tensor = weight.tensor;
  return weight.use == ops::WeightUse::matrix && tensor.layout == Layout::panels16 &&
         tensor.offset == 0 && tensor.shape[1] == tensor.panel_width &&
         tensor.strides == tensor.shape.contiguous_strides() &&
         reinterpret_cast<uintptr_t>(tensor.storage.data()) % kAlign == 0 &&
         element_bytes(panel_type(tensor)) == block_size(tensor.dtype).bytes;
}

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
      bytes = (shape[0] + kPanel - 1) / kPanel *
              panel_bytes(panel_type(weight.tensor), codes_of(weight.tensor), shape[1]);
      break;
  }
  return (bytes + kAlign - 1) / kAlign * kAlign;
}

// Rows [row, row + rows) of f32, at most 16, into the panel at `out`, [width][16].
void interleave(const float* rows_data, int64_t rows, int64_t width, PanelType type,
                std::byte* out) {
  for (int64_t k = 0; k < width; ++k) {
    for (int64_t lane = 0; lane < kPanel; ++lane) {
      const float value = lane < rows ? rows_data[lane * width + k] : 0.0f;
      const int64_t place = k * kPanel + lane;
      if (type == PanelType::f32) {
        reinterpret_cast<float*>(out)[place] = value;
      } else {
        reinterpret_cast<uint16_t*>(out)[place] =
            type == PanelType::f16 ? quant::f32_to_f16(value) : quant::f32_to_bf16(value);
      }
    }
  }
}

// Contiguous half matrices, nearly all of a real model, are moved without a detour through f32.
void interleave_halves(const std::byte* rows_data, int64_t rows, int64_t width, std::byte* out) {
  auto* panel = reinterpret_cast<uint16_t*>(out);
  for (int64_t lane = 0; lane < kPanel; ++lane) {
    for (int64_t k = 0; k < width; ++k) {
      uint16_t half = 0;
      if (lane < rows) std::memcpy(&half, rows_data + (lane * width + k) * 2, 2);
      panel[k * kPanel + lane] = half;
    }
  }
}

// Rows of blocks can hold scales that are no numbers; a step must not be the first to find out.
Status check_table(const StoredTensor& table) {
  if (block_size(table.dtype).elements == 1) return {};
  std::vector<float> row(static_cast<size_t>(table.shape[1]));
  for (int64_t r = 0; r < table.shape[0]; ++r)
    SK_TRY_STATUS(quant::read_rows_f32(table, r, 1, row));
  return {};
}

// The reader checks that the storage holds all rows, and says what is wrong with a block.
Status pack_blocks(const StoredTensor& tensor, std::byte* out) {
  const int64_t rows = tensor.shape[0], width = tensor.shape[1];
  const CodePanels codes = codes_of(tensor);
  const BlockSize block = block_size(tensor.dtype);
  std::vector<float> read(static_cast<size_t>(std::min(rows, kPanel) * width));
  SK_TRY_STATUS(
      quant::read_rows_f32(tensor, rows - 1, 1, std::span(read).first(static_cast<size_t>(width))));
  for (int64_t row = 0; row < rows; row += kPanel) {
    const int64_t count = std::min(kPanel, rows - row);
    const int64_t at = (tensor.offset + row * width) / block.elements * block.bytes;
    if (!pack_codes(tensor.dtype, tensor.storage.data() + at, count, width, out))
      return quant::read_rows_f32(tensor, row, count,
                                  std::span(read).first(static_cast<size_t>(count * width)));
    out += panel_bytes(PanelType::codes, codes, width);
  }
  return {};
}

Status pack_matrix(const StoredTensor& tensor, PanelType type, std::byte* out) {
  if (type == PanelType::codes) return pack_blocks(tensor, out);
  const int64_t rows = tensor.shape[0], width = tensor.shape[1];
  const bool direct = !tensor.computed && type != PanelType::f32 && tensor.layout == Layout::rows &&
                      tensor.strides == tensor.shape.contiguous_strides();
  // A transposed matrix is read whole: its rows lie across the file, and reading them panel by
  // panel would walk all of it each time.
  const bool whole = !direct && tensor.strides != tensor.shape.contiguous_strides();
  std::vector<float> read;
  if (!direct) read.resize(static_cast<size_t>((whole ? rows : std::min(rows, kPanel)) * width));
  if (whole) SK_TRY_STATUS(quant::read_f32(tensor, read));
  for (int64_t row = 0; row < rows; row += kPanel) {
    const int64_t count = std::min(kPanel, rows - row);
    std::byte* panel = out + row * width * element_bytes(type);
    if (direct) {
      interleave_halves(tensor.storage.data() + (tensor.offset + row * width) * 2, count, width,
                        panel);
      continue;
    }
    const auto part = std::span(read).first(static_cast<size_t>(count * width));
    if (!whole) SK_TRY_STATUS(quant::read_rows_f32(tensor, row, count, part));
    interleave(whole ? read.data() + row * width : read.data(), count, width, type, panel);
  }
  return {};
}

}  // namespace

int64_t PackedWeight::bytes_read() const {
  switch (use) {
    case ops::WeightUse::table: return 0;
    case ops::WeightUse::vector: return width * int64_t{sizeof(float)};
    case ops::WeightUse::matrix: break;
  }
  return rows * panel_bytes(type, codes, width) / kPanel;
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
    if (panel_type(weight.tensor) == PanelType::codes)
      bytes = std::max(bytes, QuantisedRow{in, codes_of(weight.tensor).group}.bytes());
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
  // Pages of the file that are being read, and the f32 copy of a transposed matrix.
  int64_t most = 0;
  for (const ops::WeightData& weight : weights) {
    if (!weight.present || weight.use == ops::WeightUse::table || is_packed(weight)) continue;
    const StoredTensor& tensor = weight.tensor;
    const bool whole = tensor.strides != tensor.shape.contiguous_strides();
    most = std::max(most, static_cast<int64_t>(tensor.storage.size()) +
                              (whole ? tensor.shape.elements() * 4 : 0));
  }
  return most;
}

Result<PackedWeights> PackedWeights::pack(std::span<const ops::WeightData> weights,
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
      out.type = panel_type(tensor);
      out.data = tensor.storage.data();
      packed.mapped_.push_back(tensor.storage);
      continue;
    }
    out.data = at;
    const auto floats =
        std::span(reinterpret_cast<float*>(at), static_cast<size_t>(tensor.shape.elements()));
    if (weight.use == ops::WeightUse::matrix) {
      out.type = panel_type(tensor);
      out.codes = codes_of(tensor);
      SK_TRY_STATUS(pack_matrix(tensor, out.type, at));
    } else if (weight.use == ops::WeightUse::vector) {
      SK_TRY_STATUS(quant::read_f32(tensor, floats));
    } else if (stays_in_file(tensor)) {
      out.table = tensor;
      SK_TRY_STATUS(check_table(tensor));
    } else {
      SK_TRY_STATUS(quant::read_f32(tensor, floats));
      out.table = {.name = tensor.name,
                   .dtype = DType::f32,
                   .shape = tensor.shape,
                   .strides = tensor.shape.contiguous_strides(),
                   .offset = 0,
                   .storage = std::as_bytes(floats)};
    }
    at += packed_bytes(weight);
    if (done) done(weight);
    if (progress && !progress(bytes_done)) return fail(Code::io, "interrupted while loading");
  }
  std::sort(packed.mapped_.begin(), packed.mapped_.end(),
            [](const auto& a, const auto& b) { return a.data() < b.data(); });
  return packed;
}

int64_t PackedWeights::bytes() const {
  auto bytes = static_cast<int64_t>(buffer_.size());
  for (const auto part : mapped_) bytes += static_cast<int64_t>(part.size());
  return bytes;
}

std::span<const std::byte> PackedWeights::memory() const {
  std::span<const std::byte> longest(buffer_.data(), buffer_.size());
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
