// The matrix products that use AMX tiles, as a table for cpu/dispatch.cpp.
#pragma once

#include "cpu/kernels.h"

namespace skein::cpu::amx {

// AVX-512's, with products of several tokens in tiles, and the `fast` ones.
Kernels kernels();

// Multiplies once and compares. The processor has to have AMX and the process the system's
// permission.
bool tiles_work();

}  // namespace skein::cpu::amx
