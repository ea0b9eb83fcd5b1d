// Whether this processor computes what it should: every kernel of every instruction set against the
// scalar one, bit for bit, on small random inputs.
#pragma once

#include <string>
#include <vector>

#include "cpu/dispatch.h"

namespace skein::cli {

// Names of the kernels whose bits differ; empty is good. `isa` has to be supported.
std::vector<std::string> self_test(const cpu::Kernels& isa);

}  // namespace skein::cli
