#include "cpu/weights.h"

#include <algorithm>
#include <cstring>

#include "base/finite.h"
#include "cpu/records.h"
#include "ops/pack.h"
#include "quant/read.h"

namespace skein::cpu {

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

int64_t PackedWeights::widest_row(std::span<const ops::WeightData> weights, bool fast) {
  int64_t bytes = 0;
  for (const ops::WeightData& weight : weights) {
    if (!weight.present || weight.use != ops::WeightUse::matrix) continue;
    const int64_t in = weight.tensor.shape[1];
    if (fast) bytes = std::max(bytes, FastRow{in}.bytes());
    const Packing packing = packing_of(weight);
    if (packing.type != PanelType::codes) continue;
    const int group = packing.codes.group;
    bytes = std::max(bytes, QuantisedRow{in, group}.bytes());
    if (fast) bytes = std::max(bytes, FastRow{in, FastForm::bytes, group}.bytes());
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
  int64_t bytes = mapped_bytes(weights);
  for (const ops::WeightData& weight : weights) bytes += ops::likely_packing(weight).bytes;
  return bytes;
}

int64_t PackedWeights::mapped_bytes(std::span<const ops::WeightData> weights) {
  int64_t bytes = 0;
  for (const ops::WeightData& weight : weights)
    bytes += static_cast<int64_t>(packing_of(weight).mapped.size());
  return bytes;
}

int64_t PackedWeights::bytes_read(std::span<const ops::WeightData> weights) {
  int64_t bytes = 0;
  for (const ops::WeightData& weight : weights) {
    if (!weight.present || weight.use == ops::WeightUse::table) continue;
    const Packing packing = ops::likely_packing(weight);
    bytes += packing.bytes + static_cast<int64_t>(packing.mapped.size());
  }
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
    SK_TRY(out.type, ops::pack_matrix(tensor, packing, pool, at));
    return buffer_bytes(out.type, out.codes, out.rows, out.width);
  }
  if (packing.source == Packing::Source::in_place) {
    out.table = tensor;
    SK_TRY_STATUS(ops::check_table(tensor, pool));
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
  packed.widest_row_ = widest_row(weights, false);
  packed.widest_fast_row_ = widest_row(weights, true);
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
      if (out.type == PanelType::codes) SK_TRY_STATUS(ops::check_panels(tensor, packing, pool));
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
