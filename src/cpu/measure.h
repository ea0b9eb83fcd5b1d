// The machine's limits, measured now: what `skein bench` and the speed line compare with.
#pragma once

#include <cstddef>

#include "base/error.h"

namespace skein::cpu {

// Bytes a second that `threads` threads read together from a buffer of `bytes` bytes on the kind of
// pages the weights have; the best of several passes. Errors: memory, argument (SKEIN_ISA).
Result<double> read_bandwidth(int threads, size_t bytes, int passes = 5);

// f32 multiply-adds, two operations each, a second, on `threads` threads. Error: argument.
Result<double> multiply_add_rate(int threads);

}  // namespace skein::cpu
