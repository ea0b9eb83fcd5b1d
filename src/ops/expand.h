// Composite operations written as primitives, so that a new backend can start with few kernels.
#pragma once

#include <functional>

#include "ops/program.h"

namespace skein::ops {

// Whether expand() has a smaller form of this operation.
bool expandable(const Op& op);

// The program with every expandable operation that `keep` declines replaced by its primitives:
//   linear with bias or function -> linear, add, unary;  lerp -> sub, mul, add
// The result is the same mathematics; roundings may differ in the last bit.
Program expand(const Program& program, const std::function<bool(const Op&)>& keep);

}  // namespace skein::ops
