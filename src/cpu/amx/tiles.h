// AMX tile registers (Intel SDM volume 1, chapter 18): eight of up to 16 rows of 64 bytes.
//
// The compilers' own intrinsics do not say which memory they read and write: g++ 12 drops the
// stores that fill a configuration and moves others past a tile load, so these are written as
// statements that do. Included by kernels_amx.cpp after it has set the target and the namespace; a
// test puts tiles in plain memory in this file's place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace skein::cpu::SK_ISA {

struct TileShape {
  uint8_t rows = 0;
  uint16_t row_bytes = 0;
};

// What `ldtilecfg` reads.
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  void set(int tile, TileShape shape) {
    rows[tile] = shape.rows;
    row_bytes[tile] = shape.row_bytes;
  }
};
static_assert(sizeof(TileConfig) == 64);

// Tiles have a shape while an object of this class lives; without one the processor need not save
// them when it switches threads.
class Tiles {
 public:
  explicit Tiles(const TileConfig& config) { asm volatile("ldtilecfg %0" : : "m"(config)); }
  ~Tiles() { asm volatile("tilerelease" : :); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

template <int kTile>
inline void zero_tile() {
  asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
}
// Rows `stride` bytes apart.
template <int kTile>
inline void load_tile(const void* from, int64_t stride) {
  asm volatile("tileloadd (%1,%2,1), %%tmm%c0" : : "i"(kTile), "r"(from), "r"(stride) : "memory");
}
template <int kTile>
inline void store_tile(void* to, int64_t stride) {
  asm volatile("tilestored %%tmm%c0, (%1,%2,1)" : : "i"(kTile), "r"(to), "r"(stride) : "memory");
}
// C[m][n] += sum over k of A[m][k] * B[k / 4][n][k % 4], signed bytes.
template <int kC, int kA, int kB>
inline void multiply_bytes() {
  asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB));
}
// C[m][n] += sum over k of A[m][k] * B[k / 2][n][k % 2], bf16 into f32.
template <int kC, int kA, int kB>
inline void multiply_bf16() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB));
}

}  // namespace skein::cpu::SK_ISA
