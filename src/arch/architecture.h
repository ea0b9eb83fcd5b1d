// A model design: from named tensors to a recorded forward pass. One file per design; none of them
// knows a container, a device or a number type.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "ops/backend.h"
#include "ops/program.h"
#include "tensor/stored.h"

namespace skein::arch {

// A model's tensors under their official names ("blocks.3.att.key.weight") and in official shapes.
using NamedTensors = std::map<std::string, StoredTensor, std::less<>>;

// What a tensor is to the tools that convert, quantise and train: which ones share a treatment.
enum class WeightClass : uint8_t {
  embedding,
  head,
  attention,  // receptance, key, value, output
  feed_forward,
  low_rank,  // the small pairs w1 w2, a1 a2, v1 v2, g1 g2
  vector,    // norms, mixes, biases: always f32
};
const char* weight_class_name(WeightClass kind);

// What tensor names and shapes cannot say, as far as the container does: 0 where it does not, and
// the design then has its own.
struct Hints {
  float norm_epsilon = 0;
  float group_epsilon = 0;  // of the norm after the recurrence, over undivided outputs
  int64_t head_size = 0;
  int64_t key_value_heads = 0;  // heads that share keys and values, of Qwen-derived models
};

struct NamedModel {
  NamedTensors tensors;
  Hints hints;
};

// What loading makes of a vector, number by number, in double and rounded once.
enum class Prepare : uint8_t {
  none,
  exp,
  neg_exp,  // -exp(x)
  decay,    // exp(-exp(x))
};

// One row of an architecture's weight list, which stands once and serves loading, inspection,
// conversion and training.
struct WeightSpec {
  std::string name;
  Shape shape;  // official, without axes of length 1
  WeightClass kind = WeightClass::vector;
  bool stored_in_out = false;  // [in, out] in the file, used transposed
  bool unused = false;         // files may have it, in any shape; nothing reads it
  // The program has this many matrices of it: along the first of three axes, or equal shares of the
  // outputs.
  int32_t parts = 1;
  Prepare prepare = Prepare::none;
  int64_t repeat = 1;  // each number of a vector stands for this many neighbouring channels
};

// Stands in a state for "nothing yet" where a number is an exponent: below every other, and finite.
inline constexpr float kNoExponent = -1e30f;

// A tensor that is no weight: what a matrix of memory begins with, tuned, [H, N value, N key]. Its
// name ends so.
inline constexpr std::string_view kTunedState = ".att.time_state";
inline bool is_tuned_state(std::string_view tensor) { return tensor.ends_with(kTunedState); }

struct StateSpec {
  std::string name;  // "blocks.3.att.wkv"
  // Official shape, as the `rwkv` package keeps it, and how Skein's own memory differs from it.
  Shape shape;              // of one row where it grows
  bool transposed = false;  // the last two axes are swapped in Skein's memory
  float initial = 0;        // before the first token
  DType type = DType::f32;
  ops::Growth growth = ops::Growth::fixed;
};

struct Dimensions {
  int64_t layers = 0;
  int64_t width = 0;
  int64_t heads = 0;
  int64_t head_size = 0;
  int64_t inner = 0;  // of the channel mix
  int64_t vocab = 0;
};

class Architecture {
 public:
  virtual ~Architecture() = default;
  virtual const Dimensions& dimensions() const = 0;
  virtual std::vector<WeightSpec> weights() const = 0;
  // In the order of the program's slots.
  virtual std::vector<StateSpec> state() const = 0;
  virtual ops::Program forward() const = 0;
};

// The tensors in the order of the architecture's weight list, checked against it, in the shape of
// their use: one entry for each part of a weight. Errors: mismatch, naming the tensor and both
// shapes; unsupported (a type that cannot be decoded).
Result<std::vector<ops::WeightData>> collect_weights(const Architecture& architecture,
                                                     const NamedTensors& tensors,
                                                     std::string_view file_name);

}  // namespace skein::arch
