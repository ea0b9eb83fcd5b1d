// The time mix of RWKV-7 "Goose" (arXiv 2503.14456), which RWKV-7a and ARWKV share with it.
//
// State of a layer: the last input (x_prev) and, per head, a matrix S that a token decays, corrects
// where it already holds an answer for this key, and writes its value into:
//   S = S (diag(w) - kk (a kk)^T) + v k^T,   y = S r
#pragma once

#include "arch/shapes.h"
#include "arch/skeleton.h"

namespace skein::arch {

class Goose : public Skeleton {
 public:
  struct Config : Frame {
    int64_t rank_w = 0, rank_a = 0, rank_v = 0, rank_g = 0;
    // ARWKV can lack these two.
    bool gate = true;
    bool group_norm = true;
    // Training divides by 8 and normalises with 1e-5; undivided, that is 1e-5 * 8^2.
    float group_epsilon = 64e-5f;
    ChannelMemory channel_memory = ChannelMemory::x_prev;
  };

 protected:
  explicit Goose(const Config& config) : Skeleton(config), config_(config) {}

  // What a design may lack.
  enum class Parts : uint8_t { all, without_gate_or_norm };
  // Reads heads and ranks. `config` has layers and width already. Errors: mismatch.
  static Status read_time_mix(const NamedModel& model, std::string_view file_name, Parts parts,
                              Config& config);

  void layer_weights(LayerWeights& w) const final;
  std::vector<StateSpec> layer_state() const final;
  Var time_mix(const Layer& p, Var x) const final;

  virtual void channel_weights(LayerWeights& w) const = 0;

 private:
  Config config_;
};

}  // namespace skein::arch
