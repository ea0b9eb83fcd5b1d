// The kernels compiled for AArch64 with dot products of bytes (FEAT_DotProd).
#include "cpu/kernels.h"

#include <arm_neon.h>

#include <cstring>

// Everything the kernels need from elsewhere is included above: what is defined below this line may
// only run on such a machine, and a standard template instantiated here could be the copy that the
// linker keeps for the whole program.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif

#define SK_ISA dotprod
#include "cpu/isa/dotprod.h"
#include "cpu/kernels/all.h"

namespace skein::cpu {
using namespace dotprod;
extern const Kernels kDotProdKernels = SK_KERNEL_TABLE("dotprod", "NEON with dot products");
}  // namespace skein::cpu

#if defined(__clang__)
#pragma clang attribute pop
#endif
