// What a sanitizer changes for tests of memory and time.
#pragma once

namespace skein::test {

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

// It keeps freed memory for a while, and unoptimised code takes a hundred times as long.
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
inline constexpr bool kAddressSanitizer = true;
#else
inline constexpr bool kAddressSanitizer = false;
#endif

// It keeps notes of memory, and shared libraries allocate by its operator new, whatever a program
// defines.
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif

}  // namespace skein::test
