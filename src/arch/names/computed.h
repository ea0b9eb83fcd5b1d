// Tensors that a file does not hold as they are officially, computed when they are read.
#pragma once

#include <vector>

#include "tensor/stored.h"

namespace skein::arch::names {

// Parts of equal width one after the other along the first axis, each [rows, width].
StoredTensor concatenated(std::string name, std::vector<StoredTensor> parts);

// f(x) of every number, in double and rounded once.
StoredTensor mapped(StoredTensor tensor, double (*f)(double));

// x * 2^exponent, which every float type holds exactly as long as it stays in its range: the result
// keeps the type of half-precision and f32 tensors.
StoredTensor scaled(StoredTensor tensor, int exponent);

}  // namespace skein::arch::names
