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
#include "quant/panel_type.h"

namespace skein::cpu {

// Rows of a matrix in one panel: the lanes of a vector.
inline constexpr int64_t kPanel = quant::kPanelRows;

using quant::CodePanels;
using quant::LevelPanels;
using quant::levels_of;
using quant::PanelType;

// Instead of panels a matrix can be kept in records, for products that skip inputs of zero: the
// numbers of an input for all rows, [in][rows], a multiple of kRecordRows. Codes likewise, rows *
// bits / 8 bytes for an input; of each 64 of them byte 16 L + 4 q + e is row 16 q + 4 L + e, of 4
// bits that row in the lower half and the one 64 further in the upper, which is how four records
// become quads of 16 rows by unpacking alone. The other planes follow, each [in / block or
// group][rows].
inline constexpr int64_t kRecordRows = 128;

// Rows of activations for panels of codes: x = scale * X with whole numbers X from -32512 to 32512
// and one scale for a row, so that a sum of products over a group is exact, whatever computes it.
// The error is at most 1/65024 of the row's largest number. A row is
//   two planes of `in` bytes, 64 bytes apart, in a form that suits the instruction set;
//   for each group -bias * the sum of its X (int32), and the sum itself (f32, exact);
//   the scale (f32): 0 for a row of zeros, not a number where the row holds such.
struct QuantisedRow {
  int64_t in = 0;
  int64_t group = 32;

  // Places in bytes. A row's planes are not a multiple of 4 KiB apart, nor are neighbours'.
  constexpr int64_t second_plane() const { return in + 64; }
  constexpr int64_t starts() const { return 2 * in + 128; }
  constexpr int64_t sums() const { return starts() + in / group * 4; }
  constexpr int64_t scale() const { return sums() + in / group * 4; }
  constexpr int64_t bytes() const { return (scale() + 4 + 63) / 64 * 64; }
};

struct Quantise {
  const float* x = nullptr;  // [rows, in], x_stride floats apart
  int64_t x_stride = 0;
  QuantisedRow row{};
  int bias = 0;
  std::byte* out = nullptr;  // [rows] of row.bytes()
};

// What the `fast` mode makes of activations: what the processor has the fastest products for.
enum class FastForm : uint8_t {
  none,
  bf16,   // for tiles; any matrix
  bytes,  // with a scale for each group; for matrices of codes
};

// A row of activations in the `fast` mode, in bf16: whole tiles of 32 inputs, zeros at the end. Or
// in bytes x = scale * X with X from -127 to 127: these, and for each group -bias * the sum of its
// X (int32; a layer adds its kByteBias to the -bias), its scale (f32) and the sum of its x.
struct FastRow {
  int64_t in = 0;
  FastForm form = FastForm::bf16;
  int64_t group = 32;

  constexpr int64_t padded() const { return (in + 31) / 32 * 32; }
  constexpr int64_t starts() const { return (in + 63) / 64 * 64; }
  constexpr int64_t scales() const { return starts() + in / group * 4; }
  constexpr int64_t sums() const { return scales() + in / group * 4; }
  // Neighbours are not a multiple of 4 KiB apart.
  constexpr int64_t bytes() const {
    const int64_t end = form == FastForm::bf16 ? padded() * 2 : sums() + in / group * 4;
    return (end + 63) / 64 * 64 + 64;
  }
};

struct RoundRows {
  const float* x = nullptr;  // [rows, in], x_stride floats apart
  int64_t x_stride = 0;
  int64_t in = 0;
  int group = 32;  // of bytes, like the bias
  int bias = 0;
  std::byte* out = nullptr;  // [rows] of FastRow
};

// y[t] = f(W x[t] + bias). W is packed as [panel][in][16 rows], the last panel filled with zeros;
// codes as said above.
// Each output is one chain of multiply-adds over the inputs in ascending order; of `codes`, over
// the groups: sum = fma(f32(exact sum of level * X), scale, sum), then the same for the offset, and
// at the end sum * the row's scale.
struct Linear {
  const std::byte* panels = nullptr;
  PanelType type = PanelType::f32;
  CodePanels codes{};  // where that is the type
  // Whether `panels` are records, of whole kRecordRows.
  bool records = false;
  int64_t in = 0;
  int64_t out = 0;
  const float* bias = nullptr;  // [out] or nullptr
  ops::Unary function = ops::Unary::none;
  const float* x = nullptr;  // [tokens, in], rows x_stride floats apart
  int64_t x_stride = 0;
  // Instead of x: [tokens] of QuantisedRow for codes, of FastRow for linear_fast; of whole 32
  // tokens where there are more than a few, though the last ones need not mean anything.
  const std::byte* quantised = nullptr;
  float* y = nullptr;  // [tokens, out], rows y_stride floats apart
  int64_t y_stride = 0;
  int64_t tokens = 0;
  float* scratch = nullptr;  // this thread's, kLinearScratch floats
};

// Activations are regrouped into blocks of this many tokens by this many inputs (an L2 cache's
// worth), so that the inner loop reads them as one stream; beside them two panels' weights for as
// many inputs in f32.
inline constexpr int64_t kBlockTokens = 96;
inline constexpr int64_t kBlockInputs = 1024;
inline constexpr int64_t kLinearScratch = (kBlockTokens + 2 * kPanel) * kBlockInputs;
// Tokens from which on panels of codes are made bytes with scales in f32 before they are
// multiplied.
inline constexpr int64_t kExpandTokens = 16;

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
  Range written = {0, INT64_MAX};  // with one group, the columns of y that are
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

// y[b] = sum over a of x[a] * m[a][b], each head of each row with its own m.
struct TokenMatmul {
  const float* x = nullptr;  // [rows, heads, in], x_stride floats apart
  int64_t x_stride = 0;
  const float* m = nullptr;  // [rows, heads, in, out], m_stride floats apart
  int64_t m_stride = 0;
  float* y = nullptr;  // [rows, heads, out], y_stride floats apart
  int64_t y_stride = 0;
  int64_t heads = 1;
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
  bool is_fast_for(PanelType type) const {
    return fast_form == FastForm::bf16 ||
           (fast_form == FastForm::bytes && type == PanelType::codes);
  }

  const char* name;  // as SKEIN_ISA spells it
  const char* title;
  void (*quantise)(const Quantise&, Range rows);
  void (*linear)(const Linear&, Range panels);
  // Of a matrix in records, whole kRecordRows of panels, one after the other.
  void (*unpack_records)(const Linear&, Range panels, std::byte* out);
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
  // The `fast` mode's, where the processor has a unit for it.
  FastForm fast_form = FastForm::none;
  void (*round_rows)(const RoundRows&, Range rows) = nullptr;
  void (*linear_fast)(const Linear&, Range panels) = nullptr;
};

// One per instruction set that was compiled in; defined in kernels_<name>.cpp.
extern const Kernels kScalarKernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
extern const Kernels kNeonKernels;
extern const Kernels kDotProdKernels;
extern const Kernels kI8mmKernels;

}  // namespace skein::cpu
