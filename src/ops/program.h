// A model's forward pass as a straight-line list of operations over values: what an architecture
// records and what a backend executes. No control flow, no devices, no pointers.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace skein::ops {

using ValueId = int32_t;
using WeightId = int32_t;
using SlotId = int32_t;
inline constexpr int32_t kNone = -1;

// How many rows a value has: one for each token of the step, or one for each wanted output.
enum class Rows : uint8_t { tokens, outputs };

// A matrix [rows, width] of f32, alive from the operation that makes it to its last reader.
struct Value {
  Rows rows = Rows::tokens;
  int32_t width = 0;
  std::string name;  // "blocks.3.att.k", for traces and messages
};

// How a part of the state changes with the tokens that are read.
enum class Growth : uint8_t {
  fixed,    // replaced in place: constant memory
  growing,  // a row more for each token; what was appended never changes
};

// A named part of the state, one for each layer and kind, contiguous where it is fixed.
struct Slot {
  std::string name;  // "blocks.3.att.x_prev"
  int64_t size = 0;  // in elements; of one row where it grows
  DType type = DType::f32;
  Growth growth = Growth::fixed;
  int64_t offset = 0;  // in bytes, from the start of a sequence's fixed slots

  int64_t bytes() const { return size * block_size(type).bytes; }
  bool operator==(const Slot&) const = default;
};

// Element functions; `linear` can apply one to its result.
enum class Unary : uint8_t {
  none,
  relu2,  // max(x, 0)^2
  sigmoid,
  tanh,
  silu,    // x * sigmoid(x)
  decay,   // exp(-exp(x)), the decay of RWKV-5 and 6
  decay7,  // exp(-exp(-1/2) * sigmoid(x)), RWKV-7's decay
};

// What they mean, read and make stands in the table of operations (ops/operation.h).
enum class OpKind : uint8_t {
  rows,          // y[t] = table[token[t]]
  pick,          // y[o] = x[output[o]]: from one row a token to one row a wanted output
  linear,        // y = f(W x + b)
  layer_norm,    // over the whole row
  rms_norm,      // y = x / sqrt(mean(x^2) + epsilon) * w
  group_norm,    // over each of `heads` equal parts of the row
  l2norm_heads,  // each head divided by max(its norm, 1e-12)
  shift,         // y[t] = x[t-1]; a sequence's first row comes from the slot, its last goes there
  lerp,          // y = a + (b - a) * t
  add,
  sub,
  mul,
  unary,         // y = f(x)
  repeat_heads,  // each head of x (width of y / width of x) times in a row: grouped keys and values
  // y[b] = sum over a of x[a] * M[a][b], each row (and each of its `heads`) with a matrix of its
  // own, M = m seen as [width of x, width of y]: DeepEmbed
  token_matmul,
  bonus,  // y = v * sum over the head of r * k * u
  // The recurrences. S' is the state after the token; i is a key channel, j a value channel.
  //   wkv4, per channel, with all exponents shifted by pp so that none overflows:
  //     y = (aa + e^(u+k) v) / (bb + e^(u+k));  aa' = e^w aa + e^k v;  bb' = e^w bb + e^k
  //     w is negative. Slots: aa, bb and pp (-1e30 at first), [width] each
  //   wkv6 (RWKV-5 and 6, per head), S'[i][j] = w[i] S[i][j] + k[i] v[j], w in [0, 1], and
  //     with u:    y[j] = scale * sum_i r[i] (u[i] k[i] v[j] + S[i][j])
  //     without u: y[j] = scale * sum_i r[i] S'[i][j]
  //     Slot: [heads, N key, N value]
  //   wkv7 (per head): S' = S diag(w) - (S kk) (kk a)^T + v k^T;  y = S' r
  //     Slot: [heads, N key, N value]
  wkv4,
  wkv6,
  wkv7,
};
inline constexpr size_t kOpKinds = static_cast<size_t>(OpKind::wkv7) + 1;

inline constexpr size_t kMostOperands = 6;

// An operand is a value or a weight, at the place of its kind that the table says; the rest is
// kNone.
struct Op {
  OpKind kind = OpKind::add;
  ValueId out = kNone;
  int32_t results = 1;  // values out, out + 1, ...
  ValueId in[kMostOperands] = {kNone, kNone, kNone, kNone, kNone, kNone};
  WeightId weight[2] = {kNone, kNone};
  SlotId slot = kNone;  // the first of them
  Unary function = Unary::none;
  int32_t heads = 0;   // equal parts of a row (of the result of repeat_heads)
  int32_t groups = 0;  // repeat_heads: heads of x; head a of the result is a / (heads / groups)
  float epsilon = 0;
  float scale = 1;  // wkv6

  bool makes(ValueId value) const { return value >= out && value < out + results; }
};

// What the fixed ones of these slots take together.
int64_t fixed_bytes(std::span<const Slot> slots);

struct Program {
  std::vector<Value> values;
  std::vector<Op> ops;
  std::vector<Slot> slots;
  ValueId logits = kNone;  // written to the caller's buffer, [outputs, vocab]

  int64_t state_bytes() const { return fixed_bytes(slots); }  // of a sequence, before it grows
  const Value& value(ValueId id) const { return values[static_cast<size_t>(id)]; }
  const Slot& slot(SlotId id) const { return slots[static_cast<size_t>(id)]; }
  const Op& head() const;  // the operation that makes the logits
};

}  // namespace skein::ops
