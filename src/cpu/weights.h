// Weights as the CPU keeps them: matrices in panels of 16 rows, of numbers or of a block type's
// codes, vectors in f32, tables in the file.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "cpu/kernels.h"
#include "ops/backend.h"
#include "ops/packing.h"
#include "tensor/buffer.h"

namespace skein::cpu {

using ops::buffer_bytes;
using ops::Packing;
using ops::packing_of;
using ops::packings_of;
using quant::panel_bytes;

struct PackedWeight {
  ops::WeightUse use = ops::WeightUse::vector;
  PanelType type = PanelType::f32;
  CodePanels codes{};    // where that is the type
  bool records = false;  // a matrix in records instead of panels
  int64_t rows = 0;      // outputs of a matrix, rows of a table, 1 for a vector
  int64_t width = 0;
  const std::byte* data = nullptr;  // matrix: panels, see Linear; vector: f32 [width]
  StoredTensor table;               // tables: contiguous rows of whole blocks

  double read_share = 1;  // of records: of the inputs that are not zero, as a probe saw

  // What a step reads of it, the padding of a last panel left out; of a table nothing.
  int64_t bytes_read() const;
};

// All weights of a model: in one buffer, but for matrices that a packed file holds in panels
// already, which stay there.
class PackedWeights {
 public:
  // The threads of a pool share each matrix as a product's do, so that pages of a panel stand near
  // the thread that will read them. `done` and `progress` are called by the caller's.
  // Errors: those of quant::read_rows_f32, the same for any number of threads; memory; io
  // "interrupted".
  static Result<PackedWeights> pack(std::span<const ops::WeightData> weights, Pool& pool,
                                    const std::function<void(const ops::WeightData&)>& done,
                                    const std::function<bool(int64_t)>& progress);
  // What stays, buffer and file, and what packing needs on top for the largest weight. Of F32 that
  // turns out to be halves only those stay: here its first row says whether.
  static int64_t resident_bytes(std::span<const ops::WeightData> weights);
  static int64_t mapped_bytes(std::span<const ops::WeightData> weights);
  // What a decode step reads of them.
  static int64_t bytes_read(std::span<const ops::WeightData> weights);
  static int64_t scratch_bytes(std::span<const ops::WeightData> weights);

  // Turns those of the matrices into records that can be (cpu/records.h) and do not lie in the
  // file. Error: memory.
  bool can_be_records(ops::WeightId matrix) const;
  Status make_records(std::span<const ops::WeightId> matrices, double read_share, Pool& pool);
  // Bytes for a thread to make panels of them again; 0 without records.
  int64_t unpacked_bytes() const { return unpacked_bytes_; }
  // At most, whichever become records.
  static int64_t widest_unpacked(std::span<const ops::WeightData> weights);

  const PackedWeight& operator[](ops::WeightId id) const {
    return weights_[static_cast<size_t>(id)];
  }
  std::span<const PackedWeight> all() const { return weights_; }
  // The longest stretch of them that lies together: for measuring how fast they can be read.
  std::span<const std::byte> memory() const;
  int64_t bytes() const;
  // Bytes of the largest QuantisedRow of a product, 0 where none takes them; in a step with fast
  // rows, of the largest FastRow too.
  int64_t widest_row(bool fast) const { return fast ? widest_fast_row_ : widest_row_; }
  static int64_t widest_row(std::span<const ops::WeightData> weights, bool fast);
  // Whether a step reads the file.
  bool mapped() const { return !mapped_.empty(); }

 private:
  // Into the buffer at `at`; how many bytes it took there.
  static Result<int64_t> keep(const ops::WeightData& weight, const Packing& packing, Pool& pool,
                              std::byte* at, PackedWeight& out);

  Buffer buffer_;
  int64_t used_ = 0;                                // of it; pages behind are never touched
  std::vector<std::span<const std::byte>> mapped_;  // by address
  std::vector<PackedWeight> weights_;
  int64_t widest_row_ = 0;
  int64_t widest_fast_row_ = 0;
  int64_t unpacked_bytes_ = 0;
};

}  // namespace skein::cpu
