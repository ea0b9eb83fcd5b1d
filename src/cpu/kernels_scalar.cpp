// The kernels compiled for scalar.
#include "cpu/kernels.h"

#define SK_ISA scalar
#include "cpu/isa/scalar.h"
#include "cpu/kernels/all.h"

namespace skein::cpu {
using namespace scalar;
extern const Kernels kScalarKernels = SK_KERNEL_TABLE("scalar", "scalar");
}  // namespace skein::cpu
