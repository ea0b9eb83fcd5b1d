// rwkv.cpp's .bin: a head of six numbers, then tensors to the end of the file. Axes stand in the
// reverse of PyTorch's order and come out in PyTorch's; values stay as its converter made them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/error.h"
#include "tensor/stored.h"

namespace skein::io {

// The format's own numbers of types, 0 to kLastGgmfType; nothing for those that were removed.
inline constexpr int32_t kLastGgmfType = 16;
std::optional<DType> ggmf_dtype(int32_t id);

bool is_ggmf(std::span<const std::byte> file);
Result<Container> read_ggmf(std::span<const std::byte> file);

}  // namespace skein::io
