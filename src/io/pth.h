// PyTorch checkpoints: a pickle that describes tensors, and their storages, in a zip archive
// (torch 1.6 and newer) or one after the other in the legacy container.
#pragma once

#include <cstddef>
#include <span>

#include "base/error.h"
#include "tensor/stored.h"

namespace skein::io {

bool is_pth_zip(std::span<const std::byte> file);
Result<Container> read_pth_zip(std::span<const std::byte> file);
// The checksum of every entry, which reading leaves out for all but the pickle.
Status verify_pth_zip(std::span<const std::byte> file);

bool is_pth_legacy(std::span<const std::byte> file);
Result<Container> read_pth_legacy(std::span<const std::byte> file);

}  // namespace skein::io
