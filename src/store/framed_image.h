// A snapshot as it lies in a file or under a key, so that one that is cut, damaged or another
// node's is found out:
//   "SkeinIm1"  the id  u64 length  the image  32 bytes SHA-256 of everything before
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "store/store.h"

namespace skein::store {

// What stands around an image has fewer bytes.
inline constexpr size_t kAroundImage = 128;

struct ImageFrame {
  std::vector<std::byte> head;
  Digest sum{};
};
ImageFrame frame_of(std::string_view id, std::span<const std::byte> image);
// Error: broken.
Stored<std::vector<std::byte>> image_in(std::vector<std::byte> framed, std::string_view id);

}  // namespace skein::store
