// What RWKV-6 "Finch" (arXiv 2404.05892) and QRWKV6 share: mixes and a decay that depend on the
// token, by low-rank products.
#pragma once

#include <array>

#include "arch/shapes.h"
#include "arch/skeleton.h"

namespace skein::arch {

class Finch : public Skeleton {
 public:
  struct Config : Frame {
    int64_t rank_mix = 0;    // R, of each of the five mixes
    int64_t rank_decay = 0;  // R'
  };

 protected:
  explicit Finch(const Config& config) : Skeleton(config), config_(config) {}

  // Ranks; heads by `head_size`. `config` has layers and width already. Errors: mismatch.
  static Status read_time_mix(const NamedModel& model, std::string_view file_name,
                              int64_t head_size, Config& config);

  void add_dynamic_weights(LayerWeights& w) const;

  struct Mixed {
    Var w, k, v, r, g;  // inputs of the five products
  };
  // x_j = x + (x_prev - x) * (maa_j + tanh((x + (x_prev - x) maa_x) W1)_j W2_j)
  Mixed mix(const Layer& p, Var x) const;
  // exp(-exp(time_decay + tanh(xw W1) W2)), per token and channel
  Var decay(const Layer& p, Var xw) const;

 private:
  Config config_;
};

}  // namespace skein::arch
