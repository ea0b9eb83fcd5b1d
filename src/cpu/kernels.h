// The kernels as the executor sees them: one table of functions per instruction set. The code
// behind them stands once, in kernels/*.h, over the vector layer of isa/*.h.
//
// Every kernel gives the same bits on every instruction set and for every split into ranges:
// output rows are vector lanes, sums run in a fixed order, multiply-adds are fused where written.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/pool.h"
#include "ops/program.h"

namespace skein::cpu {

// Rows of a matrix in one panel: the lanes of a vector.
inline constexpr int64_t kPanel = 16;

// What the panels of a packed matrix hold: numbers, or the codes of a quantised matrix. Of block
// types that have no CodePanels (cpu/quant_panels.h) the decoded f32.
enum class PanelType : uint8_t { f32, f16, bf16, codes };

// A panel of codes is blocks of inputs: 16 scales in f16 and, where `shifted`, 16 offsets, then the
// block's groups of inputs: 16 bytes that multiply the scales and, where shifted, 16 that multiply
// the offsets, unless a block is one group; then codes, [input][16 rows]. A weight is level * scale
// or level * scale + offset: every product is exact in f32 and at most one sum rounds, so it has
// the decoder's bits.
struct CodePanels {
  // 8: bytes, which are the levels. 4: the even input's code below, the next one's above.
  int bits = 8;
  int block = 32;  // the inputs of a matrix are a multiple of it
  int group = 32;  // 16 or 32
  bool shifted = false;
  const int8_t* levels = nullptr;  // 4 bits: what the 16 codes stand for

  constexpr int64_t scale_bytes() const { return kPanel * (shifted ? 4 : 2); }
  // The multipliers and the codes of a group.
  constexpr int64_t multiplier_bytes() const {
    return block == group ? 0 : kPanel * (shifted ? 2 : 1);
  }
  constexpr int64_t group_bytes() const { return multiplier_bytes() + kPanel * group * bits / 8; }
  constexpr int64_t block_bytes() const { return scale_bytes() + block / group * group_bytes(); }
};

// y[t] = f(W x[t] + bias). W is packed as [panel][in][16 rows], the last panel filled with zeros;
// codes as said above.
// Each output is one chain of multiply-adds over the inputs in ascending order.
struct Linear {
  const std::byte* panels = nullptr;
  PanelType type = PanelType::f32;
  CodePanels codes{};  // where that is the type
  int64_t in = 0;
  int64_t out = 0;
  const float* bias = nullptr;  // [out] or nullptr
  ops::Unary function = ops::Unary::none;
  const float* x = nullptr;  // [tokens, in], rows x_stride floats apart
  int64_t x_stride = 0;
  float* y = nullptr;  // [tokens, out], rows y_stride floats apart
  int64_t y_stride = 0;
  int64_t tokens = 0;
  float* scratch = nullptr;  // this thread's, kLinearScratch floats
};

// Activations are regrouped into blocks of this many tokens by this many inputs (an L2 cache's
// worth), so that the inner loop reads them as one stream.
inline constexpr int64_t kBlockTokens = 96;
inline constexpr int64_t kBlockInputs = 1024;
inline constexpr int64_t kBlockFloats = kBlockTokens * kBlockInputs;
// Panels of codes are expanded beside them, two at a time, and fewer inputs: into an L1 cache.
inline constexpr int64_t kExpandInputs = 256;
inline constexpr int64_t kLinearScratch = kBlockFloats + 2 * kPanel * kExpandInputs;

// Each of `groups` equal parts of a row by itself:
//   with weight and bias:  (x - mean) / sqrt(var + epsilon) * weight + bias
//   with weight:           x / sqrt(mean of x^2 + epsilon) * weight
//   with neither:          x / max(norm, 1e-12)
struct Norm {
  const float* x = nullptr;  // [rows, width]
  float* y = nullptr;
  int64_t stride = 0;
  int64_t width = 0;
  int64_t groups = 1;
  const float* weight = nullptr;  // [width]
  const float* bias = nullptr;
  float epsilon = 0;
};

// Row by row: a (lerp: a + (b - a) * t). `shared` operands are one row for all: [width].
struct Elementwise {
  ops::OpKind kind = ops::OpKind::add;  // lerp, add, sub, mul or unary
  ops::Unary function = ops::Unary::none;
  const float* a = nullptr;
  const float* b = nullptr;  // lerp: the other end; otherwise the second operand
  const float* t = nullptr;  // lerp only
  bool shared = false;       // whether the last operand is a weight
  float* y = nullptr;
  int64_t stride = 0;
  int64_t width = 0;
};

// y = v * sum over each head of r * k * u.
struct Bonus {
  const float* r = nullptr;
  const float* k = nullptr;
  const float* v = nullptr;
  const float* u = nullptr;  // [width]
  float* y = nullptr;
  int64_t stride = 0;
  int64_t width = 0;
  int64_t heads = 1;
};

// y[b] = sum over a of x[a] * m[a][b], each row with its own m.
struct TokenMatmul {
  const float* x = nullptr;  // [rows, in], x_stride floats apart
  int64_t x_stride = 0;
  const float* m = nullptr;  // [rows, in, out], m_stride floats apart
  int64_t m_stride = 0;
  float* y = nullptr;  // [rows, out], y_stride floats apart
  int64_t y_stride = 0;
  int64_t in = 0;
  int64_t out = 0;
};

// Blocks of 16 channels of one sequence over `tokens` tokens (RWKV-4, the form with shifted
// exponents):
//   y = (e^pp aa + e^(u+k) v) / (e^pp bb + e^(u+k))
//   aa = e^(pp+w) aa + e^k v;  bb = e^(pp+w) bb + e^k;  then both divided by e^max(pp + w, k) =
//   e^pp
// The state aa, bb, pp is updated in place.
struct Wkv4 {
  const float* k = nullptr;  // pointers stand at the first channel
  const float* v = nullptr;
  const float* w = nullptr;  // [width]
  const float* u = nullptr;
  float* y = nullptr;
  float* aa = nullptr;  // [width]
  float* bb = nullptr;
  float* pp = nullptr;
  int64_t stride = 0;  // floats from one token's row to the next
  int64_t tokens = 0;
  int64_t width = 0;
};

// One head of one sequence over `tokens` tokens (RWKV-5 and 6, arXiv 2404.05892):
//   S'[i][j] = w[i] S[i][j] + k[i] v[j]
//   y[j] = scale * sum_i r[i] (u[i] k[i] v[j] + S[i][j]), or sum_i r[i] S'[i][j] without u
// state: [N key, N value], updated in place. Pointers stand at the head's first channel.
struct Wkv6 {
  const float* r = nullptr;
  const float* k = nullptr;
  const float* v = nullptr;
  const float* w = nullptr;
  int64_t w_stride = 0;      // 0: the same for all tokens
  const float* u = nullptr;  // [N] or nullptr
  float scale = 1;
  float* y = nullptr;
  float* state = nullptr;
  int64_t stride = 0;
  int64_t tokens = 0;
  int64_t size = 0;  // N
};

// One head of one sequence over `tokens` tokens (RWKV-7, arXiv 2503.14456):
//   sa = -S kk;  S = S diag(w) + sa (kk a)^T + v k^T;  y = S r
// state: [N key, N value], updated in place. Pointers stand at the head's first channel.
struct Wkv7 {
  const float* r = nullptr;
  const float* w = nullptr;
  const float* k = nullptr;
  const float* v = nullptr;
  const float* kk = nullptr;
  const float* a = nullptr;
  float* y = nullptr;
  float* state = nullptr;
  int64_t stride = 0;  // floats from one token's row to the next
  int64_t tokens = 0;
  int64_t size = 0;  // N
};

struct Kernels {
  const char* name;  // as SKEIN_ISA spells it
  const char* title;
  void (*linear)(const Linear&, Range panels);
  void (*norm)(const Norm&, Range rows);
  void (*elementwise)(const Elementwise&, Range rows);
  void (*bonus)(const Bonus&, Range rows);
  void (*token_matmul)(const TokenMatmul&, Range rows);
  void (*wkv4)(const Wkv4&, Range blocks);  // of 16 channels
  void (*wkv6)(const Wkv6&);
  void (*wkv7)(const Wkv7&);
  // For bench: a sum over `count` floats (how fast memory can be read) and `rounds` of independent
  // multiply-adds (how fast they can be computed; gives their number in `flops`).
  float (*read_stream)(const float* data, int64_t count);
  float (*multiply_adds)(int64_t rounds, int64_t* flops);
};

// One per instruction set that was compiled in; defined in kernels_<name>.cpp.
extern const Kernels kScalarKernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;

}  // namespace skein::cpu
