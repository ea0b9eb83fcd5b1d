// AMX tiles in plain memory: what the instructions do by their description (Intel SDM, chapter on
// AMX), so that the code above them is tested on machines without them. In the place of
// cpu/amx/tiles.h.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>

namespace skein::cpu::SK_ISA {

struct TileShape {
  uint8_t rows = 0;
  uint16_t row_bytes = 0;
};

struct SoftTile {
  TileShape shape;
  uint8_t bytes[16][64];

  template <typename T>
  T at(int row, int place) const {
    T out;
    std::memcpy(&out, bytes[row] + place * static_cast<int>(sizeof(T)), sizeof(T));
    return out;
  }
  template <typename T>
  void put(int row, int place, T value) {
    std::memcpy(bytes[row] + place * static_cast<int>(sizeof(T)), &value, sizeof(T));
  }
};
inline SoftTile soft_tiles[8];

struct TileConfig {
  TileShape shapes[8];
  void set(int tile, TileShape shape) { shapes[tile] = shape; }
};

class Tiles {
 public:
  explicit Tiles(const TileConfig& config) {
    for (int i = 0; i < 8; ++i) soft_tiles[i].shape = config.shapes[i];
  }
  ~Tiles() {
    for (SoftTile& tile : soft_tiles) tile.shape = {};
  }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

// Without a shape an instruction faults.
inline SoftTile& shaped(int tile) {
  EXPECT_GT(soft_tiles[tile].shape.rows, 0) << "tile " << tile;
  return soft_tiles[tile];
}

template <int kTile>
inline void zero_tile() {
  std::memset(shaped(kTile).bytes, 0, sizeof(SoftTile::bytes));
}
template <int kTile>
inline void load_tile(const void* from, int64_t stride) {
  SoftTile& tile = shaped(kTile);
  for (int row = 0; row < tile.shape.rows; ++row)
    std::memcpy(tile.bytes[row], static_cast<const uint8_t*>(from) + row * stride,
                tile.shape.row_bytes);
}
template <int kTile>
inline void store_tile(void* to, int64_t stride) {
  const SoftTile& tile = shaped(kTile);
  for (int row = 0; row < tile.shape.rows; ++row)
    std::memcpy(static_cast<uint8_t*>(to) + row * stride, tile.bytes[row], tile.shape.row_bytes);
}

// Shapes that do not fit fault as well.
inline void expect_fit(const SoftTile& c, const SoftTile& a, const SoftTile& b) {
  EXPECT_EQ(c.shape.rows, a.shape.rows);
  EXPECT_EQ(c.shape.row_bytes, b.shape.row_bytes);
  EXPECT_EQ(a.shape.row_bytes, 4 * b.shape.rows);
}

template <int kC, int kA, int kB>
inline void multiply_bytes() {
  SoftTile& c = shaped(kC);
  const SoftTile &a = shaped(kA), &b = shaped(kB);
  expect_fit(c, a, b);
  for (int m = 0; m < c.shape.rows; ++m) {
    for (int n = 0; n < c.shape.row_bytes / 4; ++n) {
      auto sum = c.at<int32_t>(m, n);
      for (int k = 0; k < a.shape.row_bytes; ++k)
        sum += a.at<int8_t>(m, k) * b.at<int8_t>(k / 4, 4 * n + k % 4);
      c.put(m, n, sum);
    }
  }
}

inline float widened(uint16_t bf16) {
  const uint32_t bits = uint32_t{bf16} << 16;
  float out;
  std::memcpy(&out, &bits, sizeof out);
  return out;
}

template <int kC, int kA, int kB>
inline void multiply_bf16() {
  SoftTile& c = shaped(kC);
  const SoftTile &a = shaped(kA), &b = shaped(kB);
  expect_fit(c, a, b);
  for (int m = 0; m < c.shape.rows; ++m) {
    for (int n = 0; n < c.shape.row_bytes / 4; ++n) {
      float even = 0, odd = 0;
      for (int k = 0; k < a.shape.row_bytes / 4; ++k) {
        even = std::fma(widened(a.at<uint16_t>(m, 2 * k)), widened(b.at<uint16_t>(k, 2 * n)), even);
        odd = std::fma(widened(a.at<uint16_t>(m, 2 * k + 1)), widened(b.at<uint16_t>(k, 2 * n + 1)),
                       odd);
      }
      c.put(m, n, c.at<float>(m, n) + (even + odd));
    }
  }
}

}  // namespace skein::cpu::SK_ISA
