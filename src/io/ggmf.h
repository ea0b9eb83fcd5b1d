// rwkv.cpp's .bin: a head of six numbers, then tensors to the end of the file. Axes stand in the
// reverse of PyTorch's order and come out in PyTorch's; values stay as its converter made them.
#pragma once

#include <cstddef>
#include <span>

#include "base/error.h"
#include "tensor/stored.h"

namespace skein::io {

bool is_ggmf(std::span<const std::byte> file);
Result<Container> read_ggmf(std::span<const std::byte> file);

}  // namespace skein::io
