// Materialises what a file stores: any decodable type, any strides, any alignment.
#pragma once

#include <cstdint>
#include <span>

#include "base/error.h"
#include "tensor/stored.h"

namespace skein::quant {

// The tensor's numbers in row-major order of its shape. `out` has tensor.shape.elements() places.
// Errors, each naming the tensor: unsupported (the type), corrupt (a block's scale, storage that is
// not whole blocks or that the strides leave), argument (the size of `out`).
//
// Besides `out` it needs 64 KiB at most: a permuted view is walked in the order of the storage, so
// that each block is decoded once, and never expanded as a whole.
Status read_f32(const StoredTensor& tensor, std::span<float> out);

// The same for the rows [first_row, first_row + rows) of the first axis: `out` has
// rows * (elements of one row) places. Blocks without a number of these rows are not touched.
Status read_rows_f32(const StoredTensor& tensor, int64_t first_row, int64_t rows,
                     std::span<float> out);

// Rows of a matrix that lies whole in panels of codes, as the blocks that they were made of, one
// after the other: decoding and encoding anew would find other ones. Errors: corrupt, argument.
Status read_row_blocks(const StoredTensor& tensor, int64_t first_row, int64_t rows,
                       std::span<std::byte> out);

// read_f32 for the row-major elements [first, first + out.size()), wherever in a row they begin.
Status read_range_f32(const StoredTensor& tensor, int64_t first, std::span<float> out);

}  // namespace skein::quant
