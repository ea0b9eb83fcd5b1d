// The writers of the K formats: the searches of quant/search, then packing.
#include "quant/k/bits.h"
#include "quant/k/codec.h"
#include "quant/search/affine.h"
#include "quant/search/scaled.h"

namespace skein::quant::k {
namespace {

constexpr int kElements = 256;

// Codes -kHalf .. kHalf - 1.
template <int kHalf>
struct Signed {
  template <typename T>
  static T nearest(T value) {
    return search::nearest_whole(search::clamp(value, -kHalf, kHalf - 1));
  }
};
struct Q3 : Signed<4> {
  static constexpr float kTrials[] = {-4.5f, -4.3f, -4.1f, -3.9f, -3.7f, -3.5f, -3.1f,
                                      -2.8f, 2.5f,  2.8f,  3.0f,  3.2f,  3.4f};
};
struct Q6 : Signed<32> {
  static constexpr float kTrials[] = {-32.9f, -32.6f, -32.3f, -32.0f, -31.7f,
                                      -31.4f, -31.1f, -30.8f, 30.0f,  30.3f,
                                      30.6f,  30.9f,  31.2f,  31.5f,  31.8f};
};

constexpr search::AffineFormat kQ2 = {
    .top = 3, .top_scale = 15, .ends = 4, .first = -0.2f, .step = 0.2f};
constexpr search::AffineFormat kQ4 = {
    .top = 15, .top_scale = 63, .ends = 4, .first = -1, .step = 0.5f};
constexpr search::AffineFormat kQ5 = {
    .top = 31, .top_scale = 63, .ends = 4, .first = -1, .step = 0.5f};

// The whole numbers of a search as the bits they are written in.
uint8_t bits(float whole) { return static_cast<uint8_t>(static_cast<int>(whole)); }

// put(element, code) for every code, in element order.
template <int G, int N, typename Put>
void each_code(const float (&codes)[N][G], Put put) {
  for (int g = 0; g < G; ++g)
    for (int n = 0; n < N; ++n) put(g * N + n, static_cast<int>(codes[n][g]));
}

bool to_q2_k(const float* x, BlockQ2_K& block) {
  search::Groups<16, 16> groups;
  search::AffineBlock<16, 16> found;
  if (!load_groups(x, groups) || !search::fit_affine_block<kQ2>(groups, found)) return false;
  block = {};
  block.d = found.d;
  block.dmin = found.dmin;
  for (int s = 0; s < 16; ++s) {
    block.scales[s] = bits(found.scales[s]);
    put_bits(block.scales[s], bits(found.mins[s]), 4);
  }
  each_code(found.codes, [&](int i, int code) {
    put_bits(block.qs[32 * (i / 128) + i % 32], code, 2 * (i / 32 % 4));
  });
  return true;
}

bool to_q3_k(const float* x, BlockQ3_K& block) {
  search::Groups<16, 16> groups;
  search::ScaledBlock<16, 16> found;
  if (!load_groups(x, groups) || !search::fit_scaled_block<Q3, -32>(groups, found)) return false;
  block = {};
  block.d = found.d;
  for (int s = 0; s < 16; ++s) {
    const int scale = static_cast<int>(found.scales[s]) + 32;
    put_bits(block.scales[s % 8], scale & 15, s < 8 ? 0 : 4);
    put_bits(block.scales[8 + s % 4], scale >> 4, 2 * (s / 4));
  }
  each_code(found.levels, [&](int i, int level) {
    const int code = level + 4;
    put_bits(block.qs[32 * (i / 128) + i % 32], code & 3, 2 * (i / 32 % 4));
    put_bits(block.hmask[i % 32], code >> 2, i / 32);
  });
  return true;
}

// The twelve bytes of Q4_K and Q5_K, as q4_k_scale and q4_k_min read them.
void pack_scales(const float (&scales)[8], const float (&mins)[8], uint8_t (&packed)[12]) {
  for (int g = 0; g < 4; ++g) {
    const int upper_scale = bits(scales[g + 4]);
    const int upper_min = bits(mins[g + 4]);
    packed[g] = static_cast<uint8_t>(bits(scales[g]) | (upper_scale >> 4) << 6);
    packed[g + 4] = static_cast<uint8_t>(bits(mins[g]) | (upper_min >> 4) << 6);
    packed[g + 8] = static_cast<uint8_t>((upper_scale & 15) | (upper_min & 15) << 4);
  }
}

bool to_q4_k(const float* x, BlockQ4_K& block) {
  search::Groups<8, 32> groups;
  search::AffineBlock<8, 32> found;
  if (!load_groups(x, groups) || !search::fit_affine_block<kQ4>(groups, found)) return false;
  block = {};
  block.d = found.d;
  block.dmin = found.dmin;
  pack_scales(found.scales, found.mins, block.scales);
  each_code(found.codes, [&](int i, int code) {
    put_bits(block.qs[32 * (i / 64) + i % 32], code, 4 * (i / 32 % 2));
  });
  return true;
}

bool to_q5_k(const float* x, BlockQ5_K& block) {
  search::Groups<8, 32> groups;
  search::AffineBlock<8, 32> found;
  if (!load_groups(x, groups) || !search::fit_affine_block<kQ5>(groups, found)) return false;
  block = {};
  block.d = found.d;
  block.dmin = found.dmin;
  pack_scales(found.scales, found.mins, block.scales);
  each_code(found.codes, [&](int i, int code) {
    put_bits(block.qs[32 * (i / 64) + i % 32], code & 15, 4 * (i / 32 % 2));
    put_bits(block.qh[i % 32], code >> 4, i / 32);
  });
  return true;
}

bool to_q6_k(const float* x, BlockQ6_K& block) {
  search::Groups<16, 16> groups;
  search::ScaledBlock<16, 16> found;
  if (!load_groups(x, groups) || !search::fit_scaled_block<Q6, -128>(groups, found)) return false;
  block = {};
  block.d = found.d;
  for (int s = 0; s < 16; ++s) block.scales[s] = static_cast<int8_t>(found.scales[s]);
  each_code(found.levels, [&](int i, int level) {
    const int code = level + 32;
    const int h = i / 128;
    const int j = i / 32 % 4;
    put_bits(block.ql[64 * h + 32 * (j & 1) + i % 32], code & 15, 4 * (j >> 1));
    put_bits(block.qh[32 * h + i % 32], code >> 4, 2 * j);
  });
  return true;
}

}  // namespace

size_t encode_q2_k(const float* values, size_t count, std::byte* blocks) {
  return encode_each<BlockQ2_K, kElements, to_q2_k>(values, count, blocks);
}
size_t encode_q3_k(const float* values, size_t count, std::byte* blocks) {
  return encode_each<BlockQ3_K, kElements, to_q3_k>(values, count, blocks);
}
size_t encode_q4_k(const float* values, size_t count, std::byte* blocks) {
  return encode_each<BlockQ4_K, kElements, to_q4_k>(values, count, blocks);
}
size_t encode_q5_k(const float* values, size_t count, std::byte* blocks) {
  return encode_each<BlockQ5_K, kElements, to_q5_k>(values, count, blocks);
}
size_t encode_q6_k(const float* values, size_t count, std::byte* blocks) {
  return encode_each<BlockQ6_K, kElements, to_q6_k>(values, count, blocks);
}

}  // namespace skein::quant::k
