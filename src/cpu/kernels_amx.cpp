// Matrix products in AMX tiles. Everything else of this table is AVX-512's.
#include "cpu/kernels.h"

#include "cpu/isa/intrinsics.h"

#include <cstddef>
#include <cstdint>

#include "cpu/kernels_amx.h"

#if defined(__clang__)
#pragma clang attribute push(                                                                \
        __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni," \
                              "avx512bf16,amx-tile,amx-int8,amx-bf16"))),                    \
            apply_to = function)
#else
#pragma GCC target( \
        "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,amx-tile,amx-int8,amx-bf16")
#endif

#define SK_ISA amx
#include "cpu/isa/avx512.h"

#include "cpu/amx/tiles.h"

#include "cpu/amx/bf16.h"
#include "cpu/amx/codes.h"

namespace skein::cpu::amx {
namespace {

// Below this many tokens the dot products of the vector registers are done sooner.
constexpr int64_t kLeastTokens = 6;

void linear(const Linear& l, Range panels) {
  if (l.records || l.type != PanelType::codes || l.tokens < kLeastTokens)
    return kAvx512Kernels.linear(l, panels);
  l.codes.shifted ? tiles_of_codes<true>(l, panels) : tiles_of_codes<false>(l, panels);
}

}  // namespace

extern const TileKernels kTileKernels = {linear, round_rows, linear_fast};

bool tiles_work() {
  // Byte products of 1 x 1 to 16 x 64 with a known sum, through a configuration, both loads and the
  // store: what a system that does not save tiles, or a processor without them behind its flags,
  // gets wrong.
  alignas(64) int8_t a[16 * 64], b[16 * 64];
  alignas(64) int32_t c[16 * 16] = {};
  for (int i = 0; i < 16 * 64; ++i) {
    a[i] = static_cast<int8_t>(i * 37 % 255 - 127);
    b[i] = static_cast<int8_t>(i * 91 % 255 - 127);
  }
  TileConfig config;
  for (const int tile : {0, 4, 6}) config.set(tile, {16, 64});
  {
    const Tiles tiles(config);
    zero_tile<0>();
    load_tile<4>(a, 64);
    load_tile<6>(b, 64);
    multiply_bytes<0, 4, 6>();
    store_tile<0>(c, 64);
  }
  for (int m = 0; m < 16; ++m) {
    for (int n = 0; n < 16; ++n) {
      int32_t sum = 0;
      for (int k = 0; k < 64; ++k) sum += a[m * 64 + k] * b[k / 4 * 64 + n * 4 + k % 4];
      if (sum != c[m * 16 + n]) return false;
    }
  }
  return true;
}

}  // namespace skein::cpu::amx

#if defined(__clang__)
#pragma clang attribute pop
#endif
