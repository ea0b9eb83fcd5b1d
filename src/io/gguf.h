// GGUF, versions 2 and 3: metadata, tensor records, data at aligned offsets. Axes stand in the
// reverse of PyTorch's order and come out in PyTorch's.
#pragma once

#include <cstddef>
#include <span>

#include "base/error.h"
#include "tensor/stored.h"

namespace skein::io {

bool is_gguf(std::span<const std::byte> file);
Result<Container> read_gguf(std::span<const std::byte> file);

}  // namespace skein::io
