#include "cli/self_test.h"

#include <cstring>
#include <functional>

#include "quant/level_panels.h"
#include "quant/panels.h"

namespace skein::cli {
namespace {

using cpu::Kernels;

// Odd sizes, so that vectors, panels and blocks are left partly filled.
constexpr int64_t kIn = 70;
constexpr int64_t kInOfCodes = 64;    // whole groups
constexpr int64_t kInOfLevels = 128;  // whole blocks
constexpr int64_t kOut = 45;
constexpr int64_t kRows = 5;
constexpr int64_t kHead = 16;
constexpr int64_t kWidth = 3 * kHead;
constexpr int64_t kStride = 64;

// A linear congruential generator: the same numbers on every machine.
class Numbers {
 public:
  float next() {
    seed_ = seed_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<float>(static_cast<int32_t>(seed_ >> 40) - (1 << 23)) * 0x1p-23f;
  }
  std::vector<float> take(int64_t count) {
    std::vector<float> out(static_cast<size_t>(count));
    for (float& x : out) x = next();
    return out;
  }

 private:
  uint64_t seed_ = 1;
};

struct Inputs {
  std::vector<float> a, b, c, d, e, f, weight, bias;
  std::vector<std::byte> panels;  // numbers of any type, or codes with scales, none of them NaN
};

Inputs make_inputs() {
  Numbers numbers;
  Inputs in;
  for (auto* v : {&in.a, &in.b, &in.c, &in.d, &in.e, &in.f}) *v = numbers.take(kRows * 2 * kStride);
  in.weight = numbers.take(2 * kStride);
  in.bias = numbers.take(2 * kStride);
  // Exponent bytes of about 1 in each type: every second byte from a narrow range.
  in.panels.resize(static_cast<size_t>((kOut + 15) / 16 * 16 * kIn * 4));
  for (size_t i = 0; i < in.panels.size(); ++i) {
    const auto byte = static_cast<uint8_t>(static_cast<int>(numbers.next() * 127.0f) & 0xff);
    in.panels[i] = static_cast<std::byte>(i % 2 ? 0x38 | (byte & 0x80) | (byte & 3) : byte);
  }
  return in;
}

std::vector<float> linear(const Kernels& k, const Inputs& in, cpu::PanelType type,
                          const cpu::CodePanels& codes) {
  std::vector<float> y(static_cast<size_t>(kRows * kStride));
  std::vector<float> scratch(static_cast<size_t>(cpu::kLinearScratch));
  const cpu::QuantisedRow row = {.in = kInOfCodes, .group = codes.group};
  std::vector<float> quantised(static_cast<size_t>(kRows * row.bytes()) / sizeof(float));
  auto* rows = reinterpret_cast<std::byte*>(quantised.data());
  if (type == cpu::PanelType::codes)
    k.quantise(
        {.x = in.a.data(), .x_stride = 2 * kStride, .row = row, .bias = codes.bias, .out = rows},
        Range{0, kRows});
  const int64_t width = type == cpu::PanelType::codes ? kInOfCodes
                        : cpu::levels_of(type)        ? kInOfLevels
                                                      : kIn;
  k.linear({.panels = in.panels.data(),
            .type = type,
            .codes = codes,
            .in = width,
            .out = kOut,
            .bias = in.bias.data(),
            .x = in.a.data(),
            .x_stride = 2 * kStride,
            .quantised = rows,
            .y = y.data(),
            .y_stride = kStride,
            .tokens = kRows,
            .scratch = scratch.data()},
           Range{0, (kOut + cpu::kPanel - 1) / cpu::kPanel});
  return y;
}

enum class NormWeights { none, weight, weight_and_bias };

std::vector<float> norm(const Kernels& k, const Inputs& in, int64_t groups, NormWeights weights) {
  std::vector<float> y(static_cast<size_t>(kRows * kStride));
  k.norm({.x = in.a.data(),
          .y = y.data(),
          .stride = kStride,
          .width = kWidth,
          .groups = groups,
          .weight = weights == NormWeights::none ? nullptr : in.weight.data(),
          .bias = weights == NormWeights::weight_and_bias ? in.bias.data() : nullptr,
          .epsilon = 1e-5f},
         Range{0, kRows});
  return y;
}

std::vector<float> elementwise(const Kernels& k, const Inputs& in, ops::OpKind kind,
                               ops::Unary function) {
  std::vector<float> y(static_cast<size_t>(kRows * kStride));
  k.elementwise({.kind = kind,
                 .function = function,
                 .a = in.a.data(),
                 .b = in.b.data(),
                 .t = in.c.data(),
                 .y = y.data(),
                 .stride = kStride,
                 .width = kWidth},
                Range{0, kRows});
  return y;
}

std::vector<float> bonus(const Kernels& k, const Inputs& in) {
  std::vector<float> y(static_cast<size_t>(kRows * kStride));
  k.bonus({.r = in.a.data(),
           .k = in.b.data(),
           .v = in.c.data(),
           .u = in.weight.data(),
           .y = y.data(),
           .stride = kStride,
           .width = kWidth,
           .heads = kWidth / kHead},
          Range{0, kRows});
  return y;
}

std::vector<float> token_matmul(const Kernels& k, const Inputs& in) {
  std::vector<float> y(static_cast<size_t>(kRows * kStride));
  constexpr int64_t kParts = 5;
  k.token_matmul({.x = in.a.data(),
                  .x_stride = kStride,
                  .m = in.b.data(),
                  .m_stride = kStride,
                  .y = y.data(),
                  .y_stride = kStride,
                  .in = kParts,
                  .out = kWidth / kParts},
                 Range{0, kRows});
  return y;
}

std::vector<float> wkv4(const Kernels& k, const Inputs& in) {
  // The state after the outputs, so that both are compared; the sums begin above 0.
  std::vector<float> out(static_cast<size_t>((kRows + 3) * kStride), 0.25f);
  float* state = out.data() + kRows * kStride;
  k.wkv4({.k = in.a.data(),
          .v = in.b.data(),
          .w = in.c.data(),
          .u = in.d.data(),
          .y = out.data(),
          .aa = state,
          .bb = state + kStride,
          .pp = state + 2 * kStride,
          .stride = kStride,
          .tokens = kRows,
          .width = kWidth},
         Range{0, (kWidth + 15) / 16});
  return out;
}

std::vector<float> wkv6(const Kernels& k, const Inputs& in, bool bonus) {
  std::vector<float> out(static_cast<size_t>(kRows * kStride + kHead * kHead), 0.25f);
  k.wkv6({.r = in.a.data(),
          .k = in.b.data(),
          .v = in.c.data(),
          .w = in.d.data(),
          .w_stride = kStride,
          .u = bonus ? in.weight.data() : nullptr,
          .scale = 0.5f,
          .y = out.data(),
          .state = out.data() + kRows * kStride,
          .stride = kStride,
          .tokens = kRows,
          .size = kHead});
  return out;
}

std::vector<float> wkv7(const Kernels& k, const Inputs& in) {
  // The state after the outputs, so that both are compared.
  std::vector<float> out(static_cast<size_t>(kRows * kStride + kHead * kHead), 0.25f);
  k.wkv7({.r = in.a.data(),
          .w = in.b.data(),
          .k = in.c.data(),
          .v = in.d.data(),
          .kk = in.e.data(),
          .a = in.f.data(),
          .y = out.data(),
          .state = out.data() + kRows * kStride,
          .stride = kStride,
          .tokens = kRows,
          .size = kHead});
  return out;
}

struct Test {
  std::string name;
  std::function<std::vector<float>(const Kernels&, const Inputs&)> run;
};

std::vector<Test> tests() {
  using ops::OpKind;
  using ops::Unary;
  std::vector<Test> out;
  const auto add = [&](std::string name, auto run) { out.push_back({std::move(name), run}); };
  for (const auto& [name, type] :
       {std::pair{"linear f32", cpu::PanelType::f32}, std::pair{"linear f16", cpu::PanelType::f16},
        std::pair{"linear bf16", cpu::PanelType::bf16},
        std::pair{"linear NF4", cpu::PanelType::nf4},
        std::pair{"linear INT8", cpu::PanelType::int8}})
    add(name,
        [type = type](const Kernels& k, const Inputs& in) { return linear(k, in, type, {}); });
  for (int i = 0; i < kDTypes; ++i) {
    const auto type = static_cast<DType>(i);
    if (const cpu::CodePanels* codes = quant::code_panels(type))
      add(fmt::format("linear {}", dtype_name(type)), [codes](const Kernels& k, const Inputs& in) {
        return linear(k, in, cpu::PanelType::codes, *codes);
      });
  }
  for (const auto& [name, function] :
       {std::pair{"relu2", Unary::relu2}, std::pair{"sigmoid", Unary::sigmoid},
        std::pair{"tanh", Unary::tanh}, std::pair{"silu", Unary::silu},
        std::pair{"decay", Unary::decay}, std::pair{"decay7", Unary::decay7}})
    add(name, [function = function](const Kernels& k, const Inputs& in) {
      return elementwise(k, in, OpKind::unary, function);
    });
  for (const auto& [name, kind] : {std::pair{"add", OpKind::add}, std::pair{"sub", OpKind::sub},
                                   std::pair{"mul", OpKind::mul}, std::pair{"lerp", OpKind::lerp}})
    add(name, [kind = kind](const Kernels& k, const Inputs& in) {
      return elementwise(k, in, kind, Unary::none);
    });
  constexpr int64_t kHeads = kWidth / kHead;
  for (const auto& [name, groups, weights] :
       {std::tuple{"layer norm", int64_t{1}, NormWeights::weight_and_bias},
        std::tuple{"rms norm", int64_t{1}, NormWeights::weight},
        std::tuple{"group norm", kHeads, NormWeights::weight_and_bias},
        std::tuple{"l2 norm", kHeads, NormWeights::none}})
    add(name, [groups = groups, weights = weights](const Kernels& k, const Inputs& in) {
      return norm(k, in, groups, weights);
    });
  add("bonus", bonus);
  add("token matmul", token_matmul);
  add("wkv4", wkv4);
  add("wkv6", [](const Kernels& k, const Inputs& in) { return wkv6(k, in, true); });
  add("wkv6 without bonus", [](const Kernels& k, const Inputs& in) { return wkv6(k, in, false); });
  add("wkv7", wkv7);
  return out;
}

}  // namespace

std::vector<std::string> self_test(const Kernels& isa) {
  const Inputs in = make_inputs();
  std::vector<std::string> failed;
  for (const Test& test : tests()) {
    const auto expected = test.run(cpu::kScalarKernels, in);
    const auto actual = test.run(isa, in);
    if (std::memcmp(expected.data(), actual.data(), expected.size() * sizeof(float)) != 0)
      failed.emplace_back(test.name);
  }
  return failed;
}

}  // namespace skein::cli
