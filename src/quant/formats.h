// The formats: what a tensor's bytes mean as numbers, and how numbers become such bytes.
//
// Every block format's value is the real-number result of its formula rounded once to f32: the
// products of scale, sub-scale and code are exact in f32 and at most one addition follows. A
// decoder is therefore right exactly when it is bit-equal, whatever its order or vector width.
#pragma once

#include <cstddef>
#include <span>

#include "base/error.h"
#include "tensor/dtype.h"

namespace skein::quant {

bool decodable(DType type);
bool encodable(DType type);

// Decodes whole blocks. `blocks` may stand at any address. BOOL, integers and F64 are rounded to
// the nearest f32; F32, F16 and BF16 are exact, infinities and NaN included. Errors: unsupported
// (the type, an F64 too large for f32), argument (`blocks` is not whole, or `out` is not what it
// holds), corrupt (a block's scale is infinite or NaN). After an error `out` holds an unspecified
// part.
Status decode(DType type, std::span<const std::byte> blocks, std::span<float> out);

// The inverse: plain types to nearest; Q4_0 to Q8_1, Q8_K, INT8 and NF4 by the formulas of the
// tools they come from, to the same bytes; the K and IQ4 types by searching for the least squared
// error. The same bytes for any number of blocks at a time and on any machine; callable from any
// thread. Errors: unsupported, argument (as above; a number is finite and so large that the type or
// a block's scale would not be), corrupt (a block type was given one that is not finite).
Status encode(DType type, std::span<const float> values, std::span<std::byte> blocks);

}  // namespace skein::quant
