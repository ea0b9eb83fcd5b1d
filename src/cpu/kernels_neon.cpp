// The kernels compiled for any AArch64 processor.
#include "cpu/kernels.h"

#include <arm_neon.h>

#define SK_ISA neon
#include "cpu/isa/pairs_neon.h"
#include "cpu/kernels/all.h"

namespace skein::cpu {
using namespace neon;
extern const Kernels kNeonKernels = SK_KERNEL_TABLE("neon", "NEON");
}  // namespace skein::cpu
