// What both writers ask of their tensors.
#pragma once

#include <span>

#include "base/error.h"
#include "io/pth_writer.h"

namespace skein::io {

// Error: argument, for data that is not the shape's, or with `named` a name that no reader takes.
Status check_tensors(std::span<const NamedTensor> tensors, bool named);

}  // namespace skein::io
