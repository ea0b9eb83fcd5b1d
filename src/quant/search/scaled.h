// Formats whose value is scale * level[code]: Q3_K, Q6_K, IQ4_NL, IQ4_XS. Private to quant.
//
// `Levels` says which numbers the codes stand for:
//   template <typename T> static T nearest(T)   the level nearest to a number
//   static constexpr float kTrials[]            where among the levels (or a little beside) a
//                                               group's extreme is put in turn; both signs, since
//                                               no list of levels is symmetric
#pragma once

#include "quant/search/lanes.h"

namespace skein::quant::search {

// Sums over each group of x q and q q, q being the level nearest to x * inverse.
template <typename Levels, int G, int N>
void level_sums(const Groups<G, N>& groups, const Lanes<G>& inverse, Lanes<G>& xq, Lanes<G>& qq) {
  for (int g = 0; g < G; g += 4) {
    const Four to_level = load_four(inverse + g);
    Four sum_xq = {};
    Four sum_qq = {};
    for (int n = 0; n < N; ++n) {
      const Four x = load_four(groups.x[n] + g);
      const Four q = Levels::nearest(x * to_level);
      sum_xq += x * q;
      sum_qq += q * q;
    }
    store_four(xq + g, sum_xq);
    store_four(qq + g, sum_qq);
  }
}

// The squared error of each group under its scale.
template <typename Levels, int G, int N>
void level_errors(const Groups<G, N>& groups, const Lanes<G>& scale, Lanes<G>& error) {
  for (int g = 0; g < G; g += 4) {
    Lanes<4> inverse;
    for (int i = 0; i < 4; ++i) inverse[i] = inverse_of(scale[g + i]);
    const Four to_level = load_four(inverse);
    const Four step = load_four(scale + g);
    Four sum = {};
    for (int n = 0; n < N; ++n) {
      const Four x = load_four(groups.x[n] + g);
      const Four off = x - step * Levels::nearest(x * to_level);
      sum += off * off;
    }
    store_four(error + g, sum);
  }
}

// For each group the scale of least squared error that the trials find.
template <typename Levels, int G, int N>
void fit_scales(const Groups<G, N>& groups, Lanes<G>& scale) {
  Lanes<G> extreme = {};
  for (int n = 0; n < N; ++n)
    for (int g = 0; g < G; ++g) {
      const float x = groups.x[n][g];
      extreme[g] = std::fabs(x) > std::fabs(extreme[g]) ? x : extreme[g];
    }
  Lanes<G> best = {};
  std::fill_n(scale, G, 0.0f);
  for (const float level : Levels::kTrials) {
    Lanes<G> inverse;
    Lanes<G> xq;
    Lanes<G> qq;
    for (int g = 0; g < G; ++g) inverse[g] = level * inverse_of(extreme[g]);
    level_sums<Levels>(groups, inverse, xq, qq);
    // The least-squares scale for these codes, xq / qq, leaves the error sum(x^2) - xq^2 / qq.
    for (int g = 0; g < G; ++g) {
      const float fitted = xq[g] * inverse_of(qq[g]);
      const float gain = fitted * xq[g];
      if (gain > best[g]) {
        best[g] = gain;
        scale[g] = fitted;
      }
    }
  }
}

// A super-block: group scales from kLowest to -kLowest - 1 under one half.
template <int G, int N>
struct ScaledBlock {
  uint16_t d = 0;
  Lanes<G> scales = {};     // whole numbers
  float levels[N][G] = {};  // as Levels::nearest gives them
};

// The best whole scales under the super-scale `d`, near those that were fitted; their error.
template <typename Levels, int kLowest, int G, int N>
float choose_scales(const Groups<G, N>& groups, const Lanes<G>& fitted, float d, Lanes<G>& scales) {
  Lanes<G> best;
  std::fill_n(best, G, INFINITY);
  const float inverse = inverse_of(d);
  for (const int near : kNearby) {
    Lanes<G> whole;
    Lanes<G> scale;
    Lanes<G> error;
    for (int g = 0; g < G; ++g) {
      whole[g] = whole_scale(fitted[g], inverse, near, kLowest, -kLowest - 1);
      scale[g] = d * whole[g];
    }
    level_errors<Levels>(groups, scale, error);
    for (int g = 0; g < G; ++g)
      if (error[g] < best[g]) {
        best[g] = error[g];
        scales[g] = whole[g];
      }
  }
  float total = 0;
  for (const float error : best) total += error;
  return total;
}

// The least-squares super-scale for the codes that `d` and the whole scales give.
template <typename Levels, int G, int N>
float refit(const Groups<G, N>& groups, float d, const Lanes<G>& scales) {
  Lanes<G> inverse;
  Lanes<G> xq;
  Lanes<G> qq;
  for (int g = 0; g < G; ++g) inverse[g] = inverse_of(d * scales[g]);
  level_sums<Levels>(groups, inverse, xq, qq);
  float all_xq = 0;
  float all_qq = 0;
  for (int g = 0; g < G; ++g) {
    all_xq += scales[g] * xq[g];
    all_qq += scales[g] * scales[g] * qq[g];
  }
  return all_xq * inverse_of(all_qq);
}

// False when the super-scale has no finite half. More starting points than the one largest scale
// gain less than half a percent of the error for twice the time.
template <typename Levels, int kLowest, int G, int N>
bool fit_scaled_block(const Groups<G, N>& groups, ScaledBlock<G, N>& out) {
  constexpr int kRounds = 4;
  Lanes<G> fitted;
  fit_scales<Levels>(groups, fitted);
  float extreme = 0;
  for (const float scale : fitted)
    if (std::fabs(scale) > std::fabs(extreme)) extreme = scale;
  float d = extreme / kLowest;
  if (!has_half(d, groups.unit)) return false;
  float best = error_of_zeros(groups);
  float best_d = 0;
  for (int round = 0; round < kRounds; ++round) {
    const HalfScale half = half_scale(d, groups.unit);
    Lanes<G> scales;
    const float error = choose_scales<Levels, kLowest>(groups, fitted, half.value, scales);
    if (!(error < best)) break;
    best = error;
    best_d = half.value;
    out.d = half.bits;
    std::copy_n(scales, G, out.scales);
    d = refit<Levels>(groups, half.value, scales);
  }
  for (int g = 0; g < G; ++g) {
    const float inverse = inverse_of(best_d * out.scales[g]);
    for (int n = 0; n < N; ++n) out.levels[n][g] = Levels::nearest(groups.x[n][g] * inverse);
  }
  return true;
}

}  // namespace skein::quant::search
