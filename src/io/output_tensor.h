// What every writer asks of a tensor, and how its bytes come out of its parts.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "base/error.h"
#include "base/pool.h"
#include "io/model_writer.h"

namespace skein::io {

// Bytes of a matrix of this type and shape in panels, where the shape's product is known not to
// overflow; nullopt if the type has none of this layout, it is no matrix, or they overflow.
std::optional<uint64_t> panels_bytes(Layout layout, DType type, const Shape& shape);

// Bytes of the tensor in the file. Errors: argument, naming it: an impossible shape, parts that are
// not its numbers, a conversion that does not exist, a layout that does not fit.
Result<uint64_t> output_bytes(const OutputTensor& tensor);

// The above for all, and with `named` that the names are unique and such as readers take.
Status check_outputs(std::span<const OutputTensor> tensors, bool named);

// Hands out the bytes in order. `pool`, if there is one, shares the encoding; the bytes do not
// depend on it. Errors: those of reading the parts and of `put`.
Status stream_output(const OutputTensor& tensor, Pool* pool,
                     const std::function<Status(std::span<const std::byte>)>& put);

}  // namespace skein::io
