// The kernels compiled for AVX-512.
#include "cpu/kernels.h"

#include "cpu/isa/intrinsics.h"

// Everything the kernels need from elsewhere is included above: what is defined below this line may
// only run on such a machine, and a standard template instantiated here could be the copy that the
// linker keeps for the whole program.
#if defined(__clang__)
#pragma clang attribute push(                                                                   \
        __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), \
            apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#endif

#define SK_ISA avx512
#include "cpu/isa/avx512.h"
#include "cpu/kernels/all.h"
#include "cpu/kernels/bytes.h"

namespace skein::cpu {
using namespace avx512;
extern const Kernels kAvx512Kernels =
    SK_KERNEL_TABLE("avx512", "AVX-512", FastForm::bytes, round_to_bytes, linear_of_byte_rows);
}  // namespace skein::cpu

#if defined(__clang__)
#pragma clang attribute pop
#endif
