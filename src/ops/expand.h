// Composite operations written as primitives, so that a new backend can start with few kernels, and
// so that what lies inside one can be differentiated.
#pragma once

#include <functional>

#include "ops/program.h"

namespace skein::ops {

// The program with every composite operation that `keep` declines replaced by what the table of
// operations has for it. The same mathematics; roundings may differ in the last bit.
Program expand(const Program& program, const std::function<bool(const Op&)>& keep);

}  // namespace skein::ops
