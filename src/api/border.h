// The border of the library: Results and exceptions in, codes and sk_last_error() out.
#pragma once

#include <exception>
#include <new>
#include <span>
#include <stdexcept>

#include "base/error.h"

namespace skein::api {

// Keeps the sentence for this thread's sk_last_error() and returns the code. Never allocates.
int32_t remember(Code code, const char* message) noexcept;

// Runs `body`, which returns a Status. Nothing but a code gets out.
template <typename Body>
int32_t guarded(const Body& body) noexcept {
  try {
    const Status status = body();
    return status ? 0 : remember(status.error().code, status.error().message.c_str());
  } catch (const std::bad_alloc&) {
    return remember(Code::memory, "not enough memory");
  } catch (const std::length_error&) {  // a vector of more bytes than there can be
    return remember(Code::memory, "not enough memory");
  } catch (const std::exception& error) {
    return remember(Code::internal, error.what());
  } catch (...) {
    return remember(Code::internal, "an exception of unknown type");
  }
}

// Error: argument, naming the parameter.
Status require(const void* pointer, const char* name);

// The first half of the two-call pattern: stores how much there is, or with a buffer that is too
// small fails.
Status hand_over_size(uint64_t needed, const void* out, size_t capacity, size_t* length,
                      const char* unit);

// The second half of the two-call pattern: stores `data` and its length, or with a null `out` the
// length only. Error: argument (too small; nothing is written).
template <typename T>
Status hand_over(std::span<const T> data, T* out, size_t capacity, size_t* length,
                 const char* unit) {
  if (!out || capacity < data.size())
    return hand_over_size(data.size(), out, capacity, length, unit);
  std::copy(data.begin(), data.end(), out);
  *length = data.size();
  return {};
}

}  // namespace skein::api
