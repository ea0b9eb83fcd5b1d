// The kernels for one instruction set. The including file has defined SK_ISA (the namespace of its
// vector layer) and included that layer; it then names the table. Included once per file, on
// purpose without a guard against other files: each gets its own copy in its own namespace.
#pragma once

#include "cpu/kernels/limits.h"
#include "cpu/kernels/linear.h"
#include "cpu/kernels/math.h"
#include "cpu/kernels/quantise.h"
#include "cpu/kernels/rows.h"
#include "cpu/kernels/sparse.h"
#include "cpu/kernels/wkv4.h"
#include "cpu/kernels/wkv6.h"
#include "cpu/kernels/wkv7.h"

// What follows the title are the `fast` mode's members, where there are any.
#define SK_KERNEL_TABLE(id, title, ...)                                                        \
  {                                                                                            \
    id, title, quantise, linear, unpack_records, norm, elementwise, bonus, token_matmul, wkv4, \
        wkv6, wkv7, read_stream, multiply_adds __VA_OPT__(, ) __VA_ARGS__                      \
  }
