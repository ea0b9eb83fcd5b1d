// SK_CHECK guards our own invariants, in every build. Never use it on input: input returns a
// Result.
#pragma once

namespace skein {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

#define SK_CHECK(condition) \
  ((condition) ? (void)0 : ::skein::check_failed(#condition, __FILE__, __LINE__))
