// What gzip compressed, as it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/error.h"

namespace skein {

// Of one gzip member and nothing behind it. Errors: corrupt (it is none, is cut short or fails its
// checksum, or holds more than `limit_bytes`), memory.
Result<std::string> gunzip(std::span<const std::byte> bytes, uint64_t limit_bytes);

}  // namespace skein
