// The matrix products that use AMX tiles, as a table for cpu/dispatch.cpp.
#pragma once

#include "cpu/kernels.h"

namespace skein::cpu::amx {

// What differs from AVX-512's table: products of several tokens in tiles, and the `fast` ones. Data
// and no function, since every function beside them is compiled for AVX-512.
struct TileKernels {
  decltype(Kernels::linear) linear;
  decltype(Kernels::round_rows) round_rows;
  decltype(Kernels::linear_fast) linear_fast;
};
extern const TileKernels kTileKernels;

// Multiplies once and compares. The processor has to have AMX and the process the system's
// permission.
bool tiles_work();

}  // namespace skein::cpu::amx
