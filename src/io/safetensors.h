// safetensors: u64 header length, JSON header, data. The tensors' ranges have to tile the data
// exactly, so that a file has one meaning.
#pragma once

#include <cstddef>
#include <span>

#include "base/error.h"
#include "tensor/stored.h"

namespace skein::io {

bool is_safetensors(std::span<const std::byte> file);
// Whether the format has a name for the type; it is dtype_name().
bool is_safetensors_type(DType type);
Result<Container> read_safetensors(std::span<const std::byte> file);

}  // namespace skein::io
