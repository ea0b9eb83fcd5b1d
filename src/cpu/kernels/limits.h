// What the machine can do at best, for `skein bench` to compare with.
#pragma once

namespace skein::cpu::SK_ISA {

// Eight streams of sums, enough to keep every load port and line buffer busy.
inline float read_stream(const float* data, int64_t count) {
  F32x16 sum[8];
  for (F32x16& s : sum) s = set1(0.0f);
  int64_t i = 0;
  for (; i + 128 <= count; i += 128)
    for (int lane = 0; lane < 8; ++lane) sum[lane] = add(sum[lane], load(data + i + 16 * lane));
  float total = 0;
  for (const F32x16& s : sum) total += reduce_add(s);
  for (; i < count; ++i) total += data[i];
  return total;
}

// As many independent chains as a tile of the matrix product has tokens: enough to hide the
// latency, few enough to stay in registers.
inline float multiply_adds(int64_t rounds, int64_t* flops) {
  constexpr int kChains = kTileTokens;
  F32x16 sum[kChains];
  for (int c = 0; c < kChains; ++c) sum[c] = set1(1.0f + 1e-3f * static_cast<float>(c));
  const F32x16 scale = set1(0.999f), step = set1(1e-4f);
  for (int64_t i = 0; i < rounds; ++i)
    for (int c = 0; c < kChains; ++c) sum[c] = fma(sum[c], scale, step);
  float total = 0;
  for (const F32x16& s : sum) total += reduce_add(s);
  *flops = rounds * kChains * 16 * 2;
  return total;
}

}  // namespace skein::cpu::SK_ISA
