// What every generation shares: an embedding, layers of a time mix and a channel mix that each add
// to the residual stream, and a head. A design fills in the two mixes and their weights; the weight
// list and the state list that it gives are also where its forward pass finds them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "arch/architecture.h"
#include "ops/recorder.h"

namespace skein::arch {

using ops::Unary;
using ops::Var;

enum class NormKind : uint8_t { layer, rms };

// A mix of 1 takes the current token (RWKV-4, 5) or the previous one (6 and later, where the names
// say `maa`).
enum class MixSense : uint8_t { current, previous };

// Collects the weights of one layer under their names within it.
class LayerWeights {
 public:
  LayerWeights(std::vector<WeightSpec>& list, int64_t index)
      : list_(list), index_(index), block_(fmt::format("blocks.{}.", index)) {}

  int64_t index() const { return index_; }
  // The row stands at the end of the list until the next call, for what is special about it.
  WeightSpec& vector(std::string_view name, const Shape& shape);
  WeightSpec& matrix(std::string_view name, int64_t out, int64_t in, WeightClass kind);
  // [in, out], as the matrices without ".weight" in their name are kept.
  WeightSpec& low_rank(std::string_view name, const Shape& shape);

 private:
  std::vector<WeightSpec>& list_;
  int64_t index_;
  std::string block_;
};

class Skeleton : public Architecture {
 public:
  struct Frame : Dimensions {
    NormKind norm = NormKind::layer;
    float norm_epsilon = 1e-5f;
    bool ln0 = true;  // a norm between the embedding and the first layer
  };

  const Dimensions& dimensions() const final { return frame_; }
  std::vector<WeightSpec> weights() const final;
  std::vector<StateSpec> state() const final;
  ops::Program forward() const final;

 protected:
  // What one layer hands to later ones, and every layer's use of the token itself.
  struct Shared {
    Var embedded;  // the embedding after ln0
    Var v_first;   // RWKV-7: the values of the first layer
  };

  // A forward pass while it is recorded.
  struct Recording {
    ops::Recorder b;
    Shared shared;
    std::map<std::string, std::vector<ops::Weight>, std::less<>> weights;  // by name: the parts
    std::map<std::string, ops::SlotId, std::less<>> slots;
  };

  // One layer of it: operations, weights and state by their names within the layer.
  class Layer {
   public:
    Layer(Recording& recording, int64_t index)
        : b(recording.b),
          shared(recording.shared),
          recording_(recording),
          index_(index),
          block_(fmt::format("blocks.{}.", index)) {}
    int64_t index() const { return index_; }
    ops::Weight operator()(std::string_view name, size_t part = 0) const;
    ops::SlotId slot(std::string_view name) const;
    // x of the token before; the memory of that has the same name.
    Var previous(const char* name, Var x) const { return b.shift(name, x, slot(name)); }

    ops::Recorder& b;
    Shared& shared;

   private:
    const Recording& recording_;
    int64_t index_;
    std::string block_;
  };

  explicit Skeleton(const Frame& frame) : frame_(frame) {}

  // The channel mix of RWKV-4, 5 and 6: y = sigmoid(Wr xr) * (Wv relu2(Wk xk)).
  static void add_gated_channel_mix(LayerWeights& w, const Dimensions& d, MixSense sense);
  static Var gated_channel_mix(const Layer& p, Var x, MixSense sense);

  // The state of designs with a matrix of memory per head: x_prev, the matrices (officially [H, N
  // key, N value], or the other way round where `value_first`), and x_prev of the channel mix.
  enum class ChannelMemory : uint8_t { none, x_prev };
  static std::vector<StateSpec> matrix_state(const Dimensions& d, bool value_first,
                                             ChannelMemory channel);

  virtual void layer_weights(LayerWeights& w) const = 0;
  // Names within the layer.
  virtual std::vector<StateSpec> layer_state() const = 0;
  virtual Var time_mix(const Layer& p, Var x) const = 0;
  virtual Var channel_mix(const Layer& p, Var x) const = 0;

  const Frame& frame() const { return frame_; }

 private:
  Var norm(Recording& r, const std::string& name, Var x) const;

  Frame frame_;
};

// Layers, width, inner width (the rows of `inner`, a matrix of layer 0), vocabulary, whether there
// is an ln0, and the norms' epsilon, within limits. Errors: mismatch, unsupported.
Status read_frame(const NamedModel& model, std::string_view file_name, std::string_view inner,
                  Skeleton::Frame& frame);
// Heads of `head_size` channels that make up the width. Error: mismatch.
Status divide_heads(std::string_view file_name, int64_t head_size, Dimensions& d);

}  // namespace skein::arch
