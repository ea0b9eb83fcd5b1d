#include "cpu/coarse_head.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "quant/formats.h"
#include "quant/panels.h"
#include "quant/plain/bits.h"

namespace skein::cpu {
namespace {

constexpr int kBlock = 32;
constexpr int kLanes = static_cast<int>(kPanel);

const CodePanels& shape() { return *quant::code_panels(DType::q8_0); }

// Of panels of numbers.
std::optional<DType> dtype_of(PanelType type) {
  switch (type) {
    case PanelType::f32: return DType::f32;
    case PanelType::f16: return DType::f16;
    case PanelType::bf16: return DType::bf16;
    case PanelType::codes:
    case PanelType::nf4:
    case PanelType::mxfp4:
    case PanelType::int8: break;
  }
  return std::nullopt;
}

// Four rows at a time, spelled out because the compiler does not see it in a loop of sixteen.
using Floats = float __attribute__((vector_size(16)));
using Bits = uint32_t __attribute__((vector_size(16)));
constexpr int kFloats = 4;

Floats all(float x) { return Floats{x, x, x, x}; }
Floats least(Floats a, Floats b) { return a < b ? a : b; }
Floats most(Floats a, Floats b) { return a > b ? a : b; }
Floats size_of(Floats x) {
  return std::bit_cast<Floats>(std::bit_cast<Bits>(x) & uint32_t{0x7fffffff});
}

// Squares of a row's weights, of what its codes stand for, and of the differences.
struct Norms {
  float weights[kLanes] = {};
  float codes[kLanes] = {};
  float errors[kLanes] = {};
};

void add_to(float* sums, Floats squares) {
  Floats sum;
  std::memcpy(&sum, sums, sizeof(sum));
  sum += squares;
  std::memcpy(sums, &sum, sizeof(sum));
}

// A block of inputs, [kBlock][16], as codes and scales. False if there is no scale for it.
bool put_block(const float* w, uint8_t* codes, uint16_t* scales, Norms& norms) {
  bool finite = true;
  for (int lane = 0; lane < kLanes; lane += kFloats) {
    Floats weights[kBlock], largest = {};
    for (int k = 0; k < kBlock; ++k) {
      std::memcpy(&weights[k], w + k * kLanes + lane, sizeof(Floats));
      const Floats size = size_of(weights[k]);  // NaN goes by; the row's norm keeps it
      largest = largest >= size ? largest : size;
    }
    Floats scale, inverse;
    for (int i = 0; i < kFloats; ++i) {
      const float wanted = largest[i] / 127;
      scales[lane + i] = quant::f32_to_f16(wanted);
      finite = finite && quant::f16_is_finite(scales[lane + i]);
      scale[i] = quant::f16_to_f32(scales[lane + i]);
      inverse[i] = scale[i] > 0 ? 1 / scale[i] : 0;
    }
    Floats of_weights = {}, of_codes = {}, of_errors = {};
    Bits four = {};
    for (int k = 0; k < kBlock; ++k) {
      // Adding it leaves the nearest whole number, and 128 more than that in the lowest byte.
      const Floats magic = all(0x1.8p23f + 128);
      // A scale that was rounded down, or to nothing, leaves numbers that have no code.
      const Floats bounded = least(most(weights[k] * inverse, all(-127)), all(127));
      const Floats shifted = bounded + magic;
      const Floats value = (shifted - magic) * scale;
      const Floats error = weights[k] - value;
      of_weights += weights[k] * weights[k];
      of_codes += value * value;
      of_errors += error * error;
      four |= (std::bit_cast<Bits>(shifted) & uint32_t{0xff}) << (8 * (k % 4));
      if (k % 4 < 3) continue;
      std::memcpy(codes + k / 4 * 64 + lane * 4, &four, sizeof(four));
      four = Bits{};
    }
    add_to(norms.weights + lane, of_weights);
    add_to(norms.codes + lane, of_codes);
    add_to(norms.errors + lane, of_errors);
  }
  return finite;
}

// More than the sums above, the products below and the conversions to f32 can have lost: a sum of n
// squares n / 2^25 of its root.
constexpr double kSlack = 1 + 1e-3;
constexpr int64_t kMostInputs = 1 << 15;

float rounded_up(double value) {
  return std::nextafter(static_cast<float>(value * kSlack), std::numeric_limits<float>::infinity());
}

}  // namespace

bool CoarseHead::possible(const ops::Program& program) {
  const ops::Op& last = program.head();
  return last.kind == ops::OpKind::linear && last.function == ops::Unary::none &&
         last.weight[1] == ops::kNone;
}

ops::SecondPlaneCost CoarseHead::cost(PanelType type, int64_t rows, int64_t width) {
  const std::optional<DType> numbers = dtype_of(type);
  if (!numbers || width % kBlock != 0 || width > kMostInputs || rows == 0) return {};
  const int64_t bytes = (rows + kPanel - 1) / kPanel * shape().panel_bytes(width) +
                        rows * 2 * static_cast<int64_t>(sizeof(float));
  return {.bytes = bytes, .saved = rows * width * block_size(*numbers).bytes - bytes};
}

int64_t CoarseHead::bytes() const {
  return static_cast<int64_t>(panels_.size() + (by_norm_.size() + by_rounding_.size()) * 4);
}

Result<CoarseHead> CoarseHead::make(const PackedWeight& head, Pool& pool) {
  const int64_t width = head.width, panels = (head.rows + kPanel - 1) / kPanel;
  const int64_t bytes = shape().panel_bytes(width);
  const DType type = *dtype_of(head.type);
  const int64_t number = block_size(type).bytes;
  CoarseHead out;
  SK_TRY(out.panels_, Buffer::make(static_cast<size_t>(panels * bytes)));
  try {
    out.by_norm_.resize(static_cast<size_t>(head.rows));
    out.by_rounding_.resize(static_cast<size_t>(head.rows));
  } catch (const std::bad_alloc&) {
    return fail(Code::memory, "not enough memory for a coarse copy of the head");
  }
  // Rounding of the exact chain, a multiply-add for each input, and of the coarse one, a product
  // and a multiply-add for each group: at most n u / (1 - n u) of the sum of the terms' sizes, and
  // that is at most the product of the norms.
  constexpr double kUnit = 0x1p-24;
  const double exact = 1.01 * kUnit * static_cast<double>(width + 4);
  const double coarse = 1.01 * kUnit * static_cast<double>(2 * width / kBlock + 8);
  const auto copy = [&](Range range) -> Status {
    std::vector<float> numbers(static_cast<size_t>(width * kPanel));
    for (int64_t p = range.begin; p < range.end; ++p) {
      SK_TRY_STATUS(quant::decode(
          type,
          {head.data + p * width * kPanel * number, static_cast<size_t>(width * kPanel * number)},
          numbers));
      std::byte* panel = out.panels_.data() + p * bytes;
      auto* codes = reinterpret_cast<uint8_t*>(panel);
      auto* scales = reinterpret_cast<uint16_t*>(panel + shape().scales_at(width));
      Norms norms;
      bool finite = true;
      for (int64_t k = 0; k < width; k += kBlock)
        finite = put_block(numbers.data() + k * kPanel, codes + k * kPanel,
                           scales + k / kBlock * kPanel, norms) &&
                 finite;
      for (int64_t row = p * kPanel; row < std::min((p + 1) * kPanel, head.rows); ++row) {
        const int64_t lane = row - p * kPanel;
        // Squares of numbers below 1e-19 are no normal numbers and may have vanished.
        const double vanished = 1e-18 * std::sqrt(static_cast<double>(width));
        const auto root = [&](const float* squares) {
          return std::sqrt(static_cast<double>(squares[lane])) + vanished;
        };
        const double size = root(norms.weights), taken = root(norms.codes);
        const double error = root(norms.errors);
        if (!finite || !std::isfinite(size))
          return fail(Code::unsupported,
                      "the head has numbers that have no coarse copy, in rows {} to {}", p * kPanel,
                      p * kPanel + kPanel - 1);
        out.by_norm_[static_cast<size_t>(row)] = rounded_up(error + exact * size + coarse * taken);
        out.by_rounding_[static_cast<size_t>(row)] = rounded_up(taken);
      }
    }
    return {};
  };
  SK_TRY_STATUS(run_shares(pool, panels, copy));
  out.matrix_ = {.use = ops::WeightUse::matrix,
                 .type = PanelType::codes,
                 .codes = shape(),
                 .rows = head.rows,
                 .width = width,
                 .data = out.panels_.data(),
                 .table = {}};
  return out;
}

void CoarseHead::bound(const float* x, float* error) const {
  double squares = 0;
  float largest = 0;
  for (int64_t k = 0; k < matrix_.width; ++k) {
    squares += static_cast<double>(x[k]) * static_cast<double>(x[k]);
    largest = std::max(largest, std::fabs(x[k]));
  }
  // Whole numbers are the nearest ones, but for the rounding of a product. What is so small that it
  // counts as nothing adds the last term.
  constexpr double kMostRounding = 1.01 / 65024;
  const double rounding =
      static_cast<double>(largest) * kMostRounding * std::sqrt(static_cast<double>(matrix_.width)) +
      1e-27;
  const float norm = rounded_up(std::sqrt(squares) + rounding), off = rounded_up(rounding);
  // Products that vanish because they are subnormal.
  constexpr float kVanished = 1e-30f;
  const auto rows = static_cast<size_t>(matrix_.rows);
  for (size_t row = 0; row < rows; ++row)
    error[row] = by_norm_[row] * norm + by_rounding_[row] * off + kVanished;
}

}  // namespace skein::cpu
