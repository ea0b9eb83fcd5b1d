// Formats whose value is scale * code - min: Q2_K, Q4_K, Q5_K. Private to quant.
#pragma once

#include "quant/search/lanes.h"

namespace skein::quant::search {

// Codes are 0 .. top, whole scales and mins 0 .. top_scale. A group's range is tried with each of
// `ends` places for either end: `first` steps of the codes inside the extreme number (outside, when
// negative), then every `step` more. Outside helps: a wider grid may fall on the numbers better.
struct AffineFormat {
  int top;
  int top_scale;
  int ends;
  float first;
  float step;
};

// Whole numbers all: value = d scales[g] codes[n][g] - dmin mins[g].
template <int G, int N>
struct AffineBlock {
  uint16_t d = 0;
  uint16_t dmin = 0;
  Lanes<G> scales = {};
  Lanes<G> mins = {};
  float codes[N][G] = {};
};

// What each group's codes q of x - offset under a scale come to.
template <int G>
struct AffineSums {
  Lanes<G> q;
  Lanes<G> qq;
  Lanes<G> xq;
  Lanes<G> error;
};

template <int kTop, int G, int N>
void affine_sums(const Groups<G, N>& groups, const Lanes<G>& scale, const Lanes<G>& offset,
                 AffineSums<G>& sums) {
  for (int g = 0; g < G; g += 4) {
    Lanes<4> inverse;
    for (int i = 0; i < 4; ++i) inverse[i] = inverse_of(scale[g + i]);
    const Four to_code = load_four(inverse);
    const Four step = load_four(scale + g);
    const Four from = load_four(offset + g);
    Four sum_q = {};
    Four sum_qq = {};
    Four sum_xq = {};
    Four error = {};
    for (int n = 0; n < N; ++n) {
      const Four x = load_four(groups.x[n] + g) - from;
      const Four q = nearest_whole(clamp(x * to_code, 0, kTop));
      const Four off = x - step * q;
      sum_q += q;
      sum_qq += q * q;
      sum_xq += x * q;
      error += off * off;
    }
    store_four(sums.q + g, sum_q);
    store_four(sums.qq + g, sum_qq);
    store_four(sums.xq + g, sum_xq);
    store_four(sums.error + g, error);
  }
}

// One side of zero for the offsets of a super-block: they are -dmin times a whole number, so all of
// them are below zero (side 1, the usual one) or all above (side -1, one-sided data).
template <AffineFormat kFormat, int G, int N>
class AffineSearch {
 public:
  AffineSearch(const Groups<G, N>& groups, float side) : groups_(groups), side_(side) {
    std::copy_n(groups.x[0], G, low_);
    std::copy_n(groups.x[0], G, high_);
    for (int n = 0; n < N; ++n)
      for (int g = 0; g < G; ++g) {
        const float x = groups.x[n][g];
        low_[g] = std::min(low_[g], x);
        high_[g] = std::max(high_[g], x);
        sum_[g] += x;
      }
  }

  bool any_group_above_zero() const {
    return std::any_of(low_, low_ + G, [](float low) { return low > 0; });
  }

  // Replaces `out` if it finds an error below `best`. False when a super-scale has no finite half.
  bool run(AffineBlock<G, N>& out, float& best) {
    constexpr int kRounds = 4;
    fit_groups();
    float d = *std::max_element(scale_, scale_ + G) / kTopScale;
    float dmin = 0;
    for (const float offset : offset_)
      if (std::fabs(offset) > std::fabs(dmin)) dmin = -offset;
    dmin /= kTopScale;
    if (!has_half(d, groups_.unit) || !has_half(dmin, groups_.unit)) return false;
    float found_d = 0;
    float found_dmin = 0;
    bool found = false;
    for (int round = 0; round < kRounds; ++round) {
      const HalfScale half_d = half_scale(d, groups_.unit);
      const HalfScale half_dmin = half_scale(dmin, groups_.unit);
      Lanes<G> scales;
      Lanes<G> mins;
      const float error = choose(half_d.value, half_dmin.value, scales, mins);
      if (!(error < best)) break;
      found = true;
      best = error;
      out.d = half_d.bits;
      out.dmin = half_dmin.bits;
      std::copy_n(scales, G, out.scales);
      std::copy_n(mins, G, out.mins);
      found_d = d = half_d.value;
      found_dmin = dmin = half_dmin.value;
      refit(scales, mins, d, dmin);
    }
    if (found) write_codes(found_d, found_dmin, out);
    return true;
  }

 private:
  static constexpr int kTop = kFormat.top;
  static constexpr int kTopScale = kFormat.top_scale;
  static constexpr float kSize = N;

  // Each group's own scale and offset, for now not bound to a super-scale.
  void fit_groups() {
    Lanes<G> best;
    std::fill_n(best, G, INFINITY);
    for (int below = 0; below < kFormat.ends; ++below)
      for (int above = 0; above < kFormat.ends; ++above) {
        Lanes<G> scale;
        Lanes<G> offset;
        for (int g = 0; g < G; ++g) {
          const float code = (high_[g] - low_[g]) / kTop;
          const float from = low_[g] + code * place(below);
          const float to = high_[g] - code * place(above);
          offset[g] = side_ > 0 ? std::min(from, 0.0f) : std::max(from, 0.0f);
          scale[g] = std::max(to - offset[g], 0.0f) / kTop;
        }
        // Once as tried, once with the scale and offset that suit those codes best.
        for (int refit = 0; refit < 2; ++refit) {
          AffineSums<G> sums;
          affine_sums<kTop>(groups_, scale, offset, sums);
          for (int g = 0; g < G; ++g)
            if (sums.error[g] < best[g]) {
              best[g] = sums.error[g];
              scale_[g] = scale[g];
              offset_[g] = offset[g];
            }
          least_squares(sums, scale, offset);
        }
      }
  }

  static constexpr float place(int end) {
    return kFormat.first + kFormat.step * static_cast<float>(end);
  }

  // An offset that would cross zero stays there.
  void least_squares(const AffineSums<G>& sums, Lanes<G>& scale, Lanes<G>& offset) const {
    for (int g = 0; g < G; ++g) {
      const float x = sum_[g] - kSize * offset[g];
      const float determinant = kSize * sums.qq[g] - sums.q[g] * sums.q[g];
      const float free_scale = (kSize * sums.xq[g] - x * sums.q[g]) * inverse_of(determinant);
      const float free_offset = (x - free_scale * sums.q[g]) / kSize + offset[g];
      const float bound_scale = (sums.xq[g] + offset[g] * sums.q[g]) * inverse_of(sums.qq[g]);
      const bool crosses = free_offset * side_ > 0;
      scale[g] = std::max(crosses ? bound_scale : free_scale, 0.0f);
      offset[g] = crosses ? 0.0f : free_offset;
    }
  }

  // The best whole scales and mins under the super-scales, near those fitted; their error.
  float choose(float d, float dmin, Lanes<G>& scales, Lanes<G>& mins) const {
    Lanes<G> best;
    std::fill_n(best, G, INFINITY);
    const float inverse_d = inverse_of(d);
    const float inverse_dmin = inverse_of(dmin);
    for (int i = 0; i < 3; ++i) {
      Lanes<G> whole;
      Lanes<G> min;
      Lanes<G> scale;
      for (int g = 0; g < G; ++g) {
        whole[g] = whole_scale(scale_[g], inverse_d, kNearby[i], 0, kTopScale);
        min[g] = whole_scale(-offset_[g], inverse_dmin, 0, 0, kTopScale);
        scale[g] = d * whole[g];
      }
      // Once with the min as fitted, once with the one that suits those codes best.
      for (int refit = 0; refit < 2; ++refit) {
        AffineSums<G> sums;
        Lanes<G> offset;
        for (int g = 0; g < G; ++g) offset[g] = -dmin * min[g];
        affine_sums<kTop>(groups_, scale, offset, sums);
        for (int g = 0; g < G; ++g) {
          if (sums.error[g] < best[g]) {
            best[g] = sums.error[g];
            scales[g] = whole[g];
            mins[g] = min[g];
          }
          min[g] =
              whole_scale((scale[g] * sums.q[g] - sum_[g]) / kSize, inverse_dmin, 0, 0, kTopScale);
        }
      }
    }
    float total = 0;
    for (const float error : best) total += error;
    return total;
  }

  // Least squares for both super-scales under the codes that they give now.
  void refit(const Lanes<G>& scales, const Lanes<G>& mins, float& d, float& dmin) const {
    Lanes<G> scale;
    Lanes<G> offset;
    AffineSums<G> sums;
    for (int g = 0; g < G; ++g) {
      scale[g] = d * scales[g];
      offset[g] = -dmin * mins[g];
    }
    affine_sums<kTop>(groups_, scale, offset, sums);
    double ss = 0, sm = 0, mm = 0, xs = 0, xm = 0;
    for (int g = 0; g < G; ++g) {
      const double s = static_cast<double>(scales[g]);
      const double m = -static_cast<double>(mins[g]);
      const double q = static_cast<double>(sums.q[g]);
      ss += s * s * static_cast<double>(sums.qq[g]);
      sm += s * m * q;
      mm += m * m * N;
      xs += s * (static_cast<double>(sums.xq[g]) + static_cast<double>(offset[g]) * q);
      xm += m * static_cast<double>(sum_[g]);
    }
    const double determinant = ss * mm - sm * sm;
    if (determinant > 1e-9 * ss * mm) {
      d = static_cast<float>((xs * mm - xm * sm) / determinant);
      dmin = static_cast<float>((xm * ss - xs * sm) / determinant);
    } else if (ss > 0) {
      d = static_cast<float>((xs - sm * static_cast<double>(dmin)) / ss);
    } else if (mm > 0) {
      dmin = static_cast<float>(xm / mm);
    }
  }

  void write_codes(float d, float dmin, AffineBlock<G, N>& out) const {
    for (int g = 0; g < G; ++g) {
      const float offset = -dmin * out.mins[g];
      const float inverse = inverse_of(d * out.scales[g]);
      for (int n = 0; n < N; ++n)
        out.codes[n][g] = nearest_whole(clamp((groups_.x[n][g] - offset) * inverse, 0, kTop));
    }
  }

  const Groups<G, N>& groups_;
  const float side_;
  Lanes<G> low_;
  Lanes<G> high_;
  Lanes<G> sum_ = {};
  Lanes<G> scale_ = {};
  Lanes<G> offset_ = {};
};

// False when a super-scale has no finite half.
template <AffineFormat kFormat, int G, int N>
bool fit_affine_block(const Groups<G, N>& groups, AffineBlock<G, N>& out) {
  float best = error_of_zeros(groups);
  AffineSearch<kFormat, G, N> usual(groups, 1);
  if (!usual.run(out, best)) return false;
  if (!usual.any_group_above_zero()) return true;
  // Its super-scales may be beyond halves although the usual ones are not: then those stand.
  AffineSearch<kFormat, G, N>(groups, -1).run(out, best);
  return true;
}

}  // namespace skein::quant::search
