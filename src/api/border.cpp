#include "api/border.h"

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "skein/skein.h"

namespace skein::api {
namespace {

// Not a string: keeping a failure must work when memory has run out.
thread_local char last_error[2048] = "";

}  // namespace

int32_t remember(Code code, const char* message) noexcept {
  size_t length = std::strlen(message);
  if (length >= sizeof(last_error)) {
    length = sizeof(last_error) - 1;
    // Not in the middle of a character.
    while (length > 0 && (static_cast<unsigned char>(message[length]) & 0xc0) == 0x80) --length;
  }
  std::memmove(last_error, message, length);
  last_error[length] = '\0';
  return static_cast<int32_t>(code);
}

Status require(const void* pointer, const char* name) {
  if (!pointer) return fail(Code::argument, "{} is NULL", name);
  return {};
}

Status hand_over_size(uint64_t needed, const void* out, size_t capacity, size_t* length,
                      const char* unit) {
  if (out && capacity < needed)
    return fail(Code::argument, "a capacity of {} {}; {} are needed", capacity, unit, needed);
  *length = static_cast<size_t>(needed);
  return {};
}

}  // namespace skein::api

using skein::api::last_error;

const char* sk_last_error(void) { return last_error; }

const char* sk_version(void) { return SKEIN_VERSION; }

void sk_log_set(sk_log_sink sink, void* user) { skein::set_log_sink({sink, user}); }
