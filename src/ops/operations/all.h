// The rows of the table of operations, by family. A new one is its row here and in kTable
// (ops/operation.cpp).
#pragma once

#include "ops/operation.h"

namespace skein::ops {

// rows.cpp
extern const Operation kRows, kPick, kShift;
// products.cpp
extern const Operation kLinear, kTokenMatmul, kBonus, kRepeatHeads;
// norms.cpp
extern const Operation kLayerNorm, kRmsNorm, kGroupNorm, kL2NormHeads;
// elementwise.cpp
extern const Operation kLerp, kAdd, kSub, kMul, kUnary;
// recurrences.cpp
extern const Operation kWkv4, kWkv6, kWkv7;

// The width that all operands have, or 0.
int32_t all_alike(const OpShape& shape);

// The element functions and their derivatives; NaN where x is not finite.
double apply(Unary function, double x);
double derivative(Unary function, double x);

}  // namespace skein::ops
