// Filling panels with a matrix's rows, as its Packing says. Errors: those of quant::read_rows_f32,
// the same for any number of threads; memory.
#pragma once

#include "base/pool.h"
#include "ops/packing.h"

namespace skein::ops {

// The panels at `out`, a thread's share each, so that pages stand near who will read them. The type
// that they got: F32 may turn out to be halves. Error: corrupt (a number that is not finite).
Result<quant::PanelType> pack_matrix(const StoredTensor& tensor, const Packing& packing, Pool& pool,
                                     std::byte* out);

// packing_of() with the type that a matrix of F32 will probably get, as its first row says: nearly
// always all of them are halves or hardly any. For estimates.
Packing likely_packing(const WeightData& weight);

// What stays in the file is looked at, so that a step is not the first to find what is wrong: a
// table's rows, and a matrix's panels (Packing::mapped). Error: corrupt.
Status check_table(const StoredTensor& table, Pool& pool);
Status check_panels(const StoredTensor& tensor, const Packing& packing, Pool& pool);

}  // namespace skein::ops
