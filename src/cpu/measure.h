// The machine's limits, measured now: what speeds are compared with.
#pragma once

#include <cstddef>
#include <span>

#include "base/pool.h"
#include "cpu/kernels.h"
#include "cpu/weights.h"

namespace skein::cpu {

// Bytes a second of a plain read of `data`, shared by the pool's threads or, with `alone`, by the
// caller: the best of several passes. 0 if there is nothing to read.
double read_rate(const Kernels& kernels, Pool& pool, bool alone, std::span<const std::byte> data,
                 int passes);

// The reading part of the limits: of the weights where they stand or, when a file's own pages hold
// them, of as much memory on huge pages, since those small pages are no limit of the machine.
ops::DeviceLimits read_limit(const Kernels& kernels, Pool& pool, bool alone,
                             const PackedWeights& weights, int passes);

// Bytes of weights a second that products of one token take, of matrices in such panels that lie in
// memory and not in a cache: what decoding can come near to where codes cost more than the reading.
// Takes memory for a moment, and some 50 ms. 0 if there is none.
double product_rate(const Kernels& kernels, Pool& pool, PanelType type, const CodePanels& codes);

// f32 operations a second, two to a multiply-add, on all threads of the pool.
double multiply_add_rate(const Kernels& kernels, Pool& pool, int passes);

}  // namespace skein::cpu
