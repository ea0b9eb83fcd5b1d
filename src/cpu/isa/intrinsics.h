// <immintrin.h> for files that are compiled for AVX-512: g++ 12 believes that some of its
// intrinsics read a vector that was left undefined on purpose.
#pragma once

#pragma GCC diagnostic push
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop
