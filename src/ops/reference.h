// The reference executor: every operation by its definition, in double between f32 values, one
// thread, no packing. Slow on purpose; backends are compared with it.
#pragma once

#include <memory>

#include "ops/backend.h"

namespace skein::ops {

std::unique_ptr<Backend> reference_backend();

}  // namespace skein::ops
