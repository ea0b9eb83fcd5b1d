// Structs whose first field is `uint32_t size`, set by the caller: how programs and libraries of
// different versions understand each other.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/error.h"

namespace skein::api {

// No version will ever be larger, so a size above this is memory that was never set.
inline constexpr uint32_t kLargestStruct = 4096;

inline Status check_size(uint32_t size, size_t smallest, const char* name) {
  if (size < smallest)
    return fail(Code::argument, "{}.size is {}, it has to be sizeof({}), which is at least {}",
                name, size, name, smallest);
  if (size > kLargestStruct)
    return fail(Code::argument, "{}.size is {}, which is no struct's size", name, size);
  return {};
}

// What the caller set. A shorter, older struct leaves the rest of `out` as it is, which are the
// defaults; a longer, newer one is fine as long as it sets nothing that this version does not know.
// `smallest` is the size of the first version.
template <typename T>
Status read_sized(const T* given, size_t smallest, const char* name, T& out) {
  SK_TRY_STATUS(check_size(given->size, smallest, name));
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  if (given->size > sizeof(T) &&
      std::any_of(bytes + sizeof(T), bytes + given->size, [](unsigned char b) { return b != 0; }))
    return fail(Code::argument,
                "{} of {} bytes sets a field that this version of the library, whose struct has "
                "{}, does not know",
                name, given->size, sizeof(T));
  std::memcpy(&out, given, std::min<size_t>(given->size, sizeof(T)));
  out.size = sizeof(T);
  return {};
}

// Writes as much of `value` as the caller's struct holds and zeros behind it. Its size stays.
template <typename T>
Status write_sized(const T& value, size_t smallest, const char* name, T* out) {
  const uint32_t size = out->size;
  SK_TRY_STATUS(check_size(size, smallest, name));
  auto* bytes = reinterpret_cast<unsigned char*>(out);
  std::memcpy(bytes, &value, std::min<size_t>(size, sizeof(T)));
  if (size > sizeof(T)) std::memset(bytes + sizeof(T), 0, size - sizeof(T));
  out->size = size;
  return {};
}

}  // namespace skein::api
