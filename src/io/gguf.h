// GGUF, versions 2 and 3: metadata, tensor records, data at aligned offsets. Axes stand in the
// reverse of PyTorch's order and come out in PyTorch's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"
#include "tensor/stored.h"

namespace skein::io {

bool is_gguf(std::span<const std::byte> file);
// The format's number for a type; false where it has none.
bool gguf_type_id(DType type, uint32_t& id);
Result<Container> read_gguf(std::span<const std::byte> file);
// One of several files that are a model together, which read_gguf refuses.
Result<Container> read_gguf_part(std::span<const std::byte> file);

}  // namespace skein::io
