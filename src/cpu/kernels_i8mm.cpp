// The kernels compiled for AArch64 with I8MM (FEAT_I8MM).
#include "cpu/kernels.h"

#include <arm_neon.h>

#include <cstring>

// Everything the kernels need from elsewhere is included above: what is defined below this line may
// only run on such a machine, and a standard template instantiated here could be the copy that the
// linker keeps for the whole program.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod,i8mm"))), apply_to = function)
#else
#pragma GCC target("arch=armv8.2-a+dotprod+i8mm")
#endif

#define SK_ISA i8mm
#include "cpu/isa/i8mm.h"
#include "cpu/kernels/all.h"

namespace skein::cpu {
using namespace i8mm;
extern const Kernels kI8mmKernels = SK_KERNEL_TABLE("i8mm", "NEON with I8MM");
}  // namespace skein::cpu

#if defined(__clang__)
#pragma clang attribute pop
#endif
