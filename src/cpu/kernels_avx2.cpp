// The kernels compiled for AVX2.
#include "cpu/kernels.h"

#include <immintrin.h>

// Everything the kernels need from elsewhere is included above: what is defined below this line may
// only run on such a machine, and a standard template instantiated here could be the copy that the
// linker keeps for the whole program.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c")
#endif

#define SK_ISA avx2
#include "cpu/isa/avx2.h"
#include "cpu/kernels/all.h"

namespace skein::cpu {
using namespace avx2;
extern const Kernels kAvx2Kernels = SK_KERNEL_TABLE("avx2", "AVX2");
}  // namespace skein::cpu

#if defined(__clang__)
#pragma clang attribute pop
#endif
