// Every instruction set against the scalar one, bit for bit, on sizes that do and do not fill
// vectors, panels, tiles and blocks.
#include "cpu/kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "cpu/dispatch.h"
#include "cpu/flush.h"
#include "quant/plain/bits.h"
#include "support/random.h"

namespace skein::cpu {
namespace {

using test::Random;

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

class Kernels_ : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!GetParam().supported) GTEST_SKIP() << "SKIPPED: this processor lacks " << kernels().title;
  }
  const Kernels& kernels() const { return *GetParam().kernels; }
  // What it has to equal.
  static const Kernels& scalar() { return kScalarKernels; }
  FlushSubnormals flush_;
};

std::string isa_name(const testing::TestParamInfo<Isa>& info) { return info.param.kernels->name; }

std::vector<float> numbers(Random& random, size_t count) {
  auto out = random.floats(count, -3, 3);
  for (size_t i = 0; i < count; i += 37) out[i] = 0;
  for (size_t i = 5; i < count; i += 101) out[i] *= 1e-20f;
  return out;
}

// [panel][in][16] of random weights in the given type; rows from `out` on are zero.
std::vector<std::byte> random_panels(Random& random, PanelType type, int64_t out, int64_t in) {
  const int64_t panels = (out + kPanel - 1) / kPanel;
  const size_t bytes = type == PanelType::f32 ? 4 : 2;
  std::vector<std::byte> data(static_cast<size_t>(panels * in * kPanel) * bytes);
  for (int64_t i = 0; i < panels * in * kPanel; ++i) {
    const int64_t row = i / (in * kPanel) * kPanel + i % kPanel;
    const float value = row < out ? random.uniform(-1, 1) : 0;
    const uint16_t half =
        type == PanelType::f16 ? quant::f32_to_f16(value) : quant::f32_to_bf16(value);
    if (type == PanelType::f32) {
      std::memcpy(data.data() + i * 4, &value, 4);
    } else {
      std::memcpy(data.data() + i * 2, &half, 2);
    }
  }
  return data;
}

std::vector<float> run_linear(const Kernels& kernels, Linear l, int parts) {
  std::vector<float> y(static_cast<size_t>(l.tokens * l.y_stride), 7.0f);
  std::vector<float> scratch(kLinearScratch);
  l.y = y.data();
  l.scratch = scratch.data();
  for (int part = 0; part < parts; ++part)
    kernels.linear(l, share((l.out + kPanel - 1) / kPanel, part, parts));
  return y;
}

TEST_P(Kernels_, linear_gives_the_scalar_bits_for_any_shape_and_split) {
  Random random(1);
  const struct {
    int64_t out, in, tokens;
  } shapes[] = {{1, 1, 1},    {16, 3, 1},   {40, 20, 1},   {96, 64, 1},    {130, 65, 1},
                {16, 16, 2},  {40, 20, 3},  {33, 31, 5},   {64, 48, 12},   {70, 24, 13},
                {48, 33, 31}, {32, 40, 97}, {17, 1030, 7}, {16, 2100, 25}, {50, 1100, 30}};
  for (const PanelType type : {PanelType::f32, PanelType::f16, PanelType::bf16}) {
    for (const auto& shape : shapes) {
      const auto panels = random_panels(random, type, shape.out, shape.in);
      const auto bias = numbers(random, static_cast<size_t>(shape.out));
      const int64_t stride = shape.in + 5;
      const auto x = numbers(random, static_cast<size_t>(shape.tokens * stride));
      for (const auto function : {ops::Unary::none, ops::Unary::relu2, ops::Unary::tanh,
                                  ops::Unary::silu, ops::Unary::decay, ops::Unary::decay7}) {
        const Linear l = {.panels = panels.data(),
                          .type = type,
                          .in = shape.in,
                          .out = shape.out,
                          .bias = function == ops::Unary::none ? nullptr : bias.data(),
                          .function = function,
                          .x = x.data(),
                          .x_stride = stride,
                          .y_stride = shape.out + 3,
                          .tokens = shape.tokens};
        const auto expected = run_linear(scalar(), l, 1);
        EXPECT_TRUE(same_bits(run_linear(kernels(), l, 1), expected))
            << shape.out << " x " << shape.in << ", " << shape.tokens << " tokens";
        EXPECT_TRUE(same_bits(run_linear(kernels(), l, 3), expected));
        // Token by token: decode equals prefill.
        for (int64_t t = 0; t < shape.tokens; ++t) {
          Linear one = l;
          one.x = x.data() + t * stride;
          one.tokens = 1;
          const auto row = run_linear(kernels(), one, 2);
          EXPECT_EQ(0, std::memcmp(row.data(), expected.data() + t * l.y_stride,
                                   static_cast<size_t>(shape.out) * sizeof(float)));
        }
      }
    }
  }
}

TEST_P(Kernels_, linear_is_the_matrix_product) {
  Random random(2);
  const int64_t out = 37, in = 300, tokens = 14;
  const auto panels = random_panels(random, PanelType::f32, out, in);
  const auto x = random.floats(static_cast<size_t>(tokens * in));
  const Linear l = {.panels = panels.data(),
                    .type = PanelType::f32,
                    .in = in,
                    .out = out,
                    .x = x.data(),
                    .x_stride = in,
                    .y_stride = out,
                    .tokens = tokens};
  const auto y = run_linear(kernels(), l, 2);
  const auto* w = reinterpret_cast<const float*>(panels.data());
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t o = 0; o < out; ++o) {
      double sum = 0, size = 0;
      for (int64_t k = 0; k < in; ++k) {
        const double product = double(w[(o / 16 * in + k) * 16 + o % 16]) * x[size_t(t * in + k)];
        sum += product;
        size += std::fabs(product);
      }
      // One rounding a step, each at most half an ulp of a partial sum.
      EXPECT_NEAR(y[size_t(t * out + o)], sum, double(in) * 0x1p-24 * size);
    }
  }
}

TEST_P(Kernels_, rows_kernels_give_the_scalar_bits) {
  Random random(3);
  for (const int64_t width : {1, 8, 16, 40, 64, 130}) {
    for (const int64_t groups : {1, 2}) {
      if (width % groups) continue;
      const int64_t rows = 5, stride = (width + 15) / 16 * 16;
      const auto size = static_cast<size_t>(rows * stride);
      const auto a = numbers(random, size), b = numbers(random, size), c = numbers(random, size);
      const auto weight = numbers(random, size), bias = numbers(random, size);
      const auto both = [&](const auto& run) {
        std::vector<float> expected(size, 7), actual(size, 7);
        run(scalar(), expected.data(), Range{0, rows});
        run(kernels(), actual.data(), Range{0, 2});  // in two parts
        run(kernels(), actual.data(), Range{2, rows});
        EXPECT_TRUE(same_bits(actual, expected)) << "width " << width;
      };
      for (const int operands : {0, 1, 2}) {
        both([&](const Kernels& k, float* y, Range range) {
          k.norm({.x = a.data(),
                  .y = y,
                  .stride = stride,
                  .width = width,
                  .groups = groups,
                  .weight = operands >= 1 ? weight.data() : nullptr,
                  .bias = operands == 2 ? bias.data() : nullptr,
                  .epsilon = 1e-5f},
                 range);
        });
      }
      both([&](const Kernels& k, float* y, Range range) {
        k.bonus({.r = a.data(),
                 .k = b.data(),
                 .v = c.data(),
                 .u = weight.data(),
                 .y = y,
                 .stride = stride,
                 .width = width,
                 .heads = groups},
                range);
      });
      both([&](const Kernels& k, float* y, Range range) {
        k.token_matmul({.x = a.data(),
                        .x_stride = stride,
                        .m = b.data(),
                        .m_stride = stride,
                        .y = y,
                        .y_stride = stride,
                        .in = width / groups,
                        .out = groups},
                       range);
        k.token_matmul({.x = a.data(),
                        .x_stride = stride,
                        .m = b.data(),
                        .m_stride = stride,
                        .y = y,
                        .y_stride = stride,
                        .in = groups,
                        .out = width / groups},
                       range);
      });
      for (const auto kind : {ops::OpKind::add, ops::OpKind::sub, ops::OpKind::mul,
                              ops::OpKind::lerp, ops::OpKind::unary}) {
        for (const bool shared : {true, false}) {
          both([&](const Kernels& k, float* y, Range range) {
            k.elementwise({.kind = kind,
                           .function = ops::Unary::sigmoid,
                           .a = a.data(),
                           .b = b.data(),
                           .t = c.data(),
                           .shared = shared,
                           .y = y,
                           .stride = stride,
                           .width = width},
                          range);
          });
        }
      }
    }
  }
}

TEST_P(Kernels_, a_norm_writes_only_the_columns_it_is_asked_for) {
  Random random(31);
  for (const int64_t width : {40, 64, 130}) {
    const int64_t rows = 6, stride = 144;
    const auto x = numbers(random, static_cast<size_t>(rows * stride));
    const auto weight = numbers(random, 144), bias = numbers(random, 144);
    const auto run = [&](Range written) {
      std::vector<float> y(x.size(), 7);
      kernels().norm({.x = x.data(),
                      .y = y.data(),
                      .stride = stride,
                      .width = width,
                      .groups = 1,
                      .weight = weight.data(),
                      .bias = bias.data(),
                      .epsilon = 1e-5f,
                      .written = written},
                     {0, rows});
      return y;
    };
    const auto whole = run({0, width});
    for (const Range part : {Range{0, 16}, Range{16, 32}, Range{32, width}}) {
      const auto y = run(part);
      for (int64_t i = 0; i < rows * stride; ++i) {
        const bool inside = i % stride >= part.begin && i % stride < part.end;
        ASSERT_EQ(y[size_t(i)], inside ? whole[size_t(i)] : 7.0f) << width << " " << i;
      }
    }
  }
}

TEST_P(Kernels_, wkv7_gives_the_scalar_bits_and_does_not_mind_chunks) {
  Random random(4);
  for (const int64_t n : {8, 16, 20, 64, 80, 128}) {
    const int64_t tokens = 6, stride = n + 16;
    const auto size = static_cast<size_t>(tokens * stride);
    const auto r = numbers(random, size), k = numbers(random, size), v = numbers(random, size);
    const auto kk = random.floats(size, -0.3f, 0.3f), a = random.floats(size, 0, 1);
    const auto w = random.floats(size, 0.55f, 1);
    const auto begin = numbers(random, static_cast<size_t>(n * n));
    const auto run = [&](const Kernels& kernels, int64_t chunk) {
      auto out = begin;  // the state, then y
      out.resize(begin.size() + size, 0.0f);
      float* y = out.data() + begin.size();
      for (int64_t t = 0; t < tokens; t += chunk) {
        const int64_t at = t * stride;
        kernels.wkv7({.r = r.data() + at,
                      .w = w.data() + at,
                      .k = k.data() + at,
                      .v = v.data() + at,
                      .kk = kk.data() + at,
                      .a = a.data() + at,
                      .y = y + at,
                      .state = out.data(),
                      .stride = stride,
                      .tokens = std::min(chunk, tokens - t),
                      .size = n});
      }
      return out;
    };
    const auto expected = run(scalar(), tokens);
    for (const int64_t chunk : {int64_t{1}, int64_t{4}, tokens})
      EXPECT_TRUE(same_bits(run(kernels(), chunk), expected)) << "N " << n;
  }
}

// Every element function through `unary`, over the whole range, against libm in double.
TEST_P(Kernels_, element_functions_are_accurate) {
  std::vector<float> x;
  for (float v = -30; v < 30; v += 0.0037f) x.push_back(v);
  for (float v = 1e-6f; v < 1; v *= 1.07f) x.insert(x.end(), {v, -v});
  x.insert(x.end(), {0.0f, -0.0f, 0.625f, -0.625f, 200, -200, 3e38f, -3e38f});
  // `relative` and `absolute` are the bound's two terms; `steep` adds to the first in proportion to
  // e^x, for a function whose argument is an exponential with a rounding error of its own.
  const auto check = [&](ops::Unary function, auto exact, double relative, double absolute,
                         double steep = 0) {
    std::vector<float> y(x.size());
    kernels().elementwise({.kind = ops::OpKind::unary,
                           .function = function,
                           .a = x.data(),
                           .y = y.data(),
                           .stride = static_cast<int64_t>(x.size()),
                           .width = static_cast<int64_t>(x.size())},
                          {0, 1});
    for (size_t i = 0; i < x.size(); ++i) {
      const double want = exact(double(x[i]));
      const double bound = relative + steep * std::exp(std::min(x[i], 88.0f));
      EXPECT_NEAR(y[i], want, std::min(bound, 1.0) * std::fabs(want) + absolute) << "at " << x[i];
    }
  };
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  constexpr double kUlp = 0x1p-23;
  // sigmoid(-88) is 6e-39: below the smallest normal number, where results are flushed.
  check(ops::Unary::sigmoid, sigmoid, 3 * kUlp, 2e-38);
  check(
      ops::Unary::tanh, [](double v) { return std::tanh(v); }, 3 * kUlp, 0);
  check(
      ops::Unary::decay7, [&](double v) { return std::exp(-std::exp(-0.5) * sigmoid(v)); },
      3 * kUlp, 0);
  // 88 e^-88 = 5e-37 is where silu stops, e^-87 = 1.7e-38 where decay does.
  check(
      ops::Unary::silu, [&](double v) { return v * sigmoid(v); }, 4 * kUlp, 6e-37);
  check(
      ops::Unary::decay, [](double v) { return std::exp(-std::exp(v)); }, 3 * kUlp, 2e-38,
      2 * kUlp);
}

TEST_P(Kernels_, decay_and_silu_stay_within_their_bounds) {
  std::vector<float> x;
  for (float v = -100; v < 100; v += 0.01f) x.push_back(v);
  x.insert(x.end(), {0.0f, 1e30f, -1e30f, 3.4e38f, -3.4e38f});
  const auto apply = [&](ops::Unary function) {
    std::vector<float> y(x.size());
    const auto width = static_cast<int64_t>(x.size());
    kernels().elementwise({.kind = ops::OpKind::unary,
                           .function = function,
                           .a = x.data(),
                           .y = y.data(),
                           .stride = width,
                           .width = width},
                          {0, 1});
    return y;
  };
  const auto decay = apply(ops::Unary::decay), silu = apply(ops::Unary::silu);
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_TRUE(decay[i] >= 0 && decay[i] <= 1) << "decay(" << x[i] << ") = " << decay[i];
    // The minimum of silu is -0.2785 at -1.278; it lies between x and 0.
    EXPECT_TRUE(silu[i] >= -0.27847f && silu[i] >= std::min(x[i], 0.0f) &&
                silu[i] <= std::max(x[i], 0.0f))
        << "silu(" << x[i] << ") = " << silu[i];
    if (i > 0 && x[i] > x[i - 1]) {
      EXPECT_LE(decay[i], decay[i - 1] * 1.0000005f) << "at " << x[i];
    }
  }
  EXPECT_EQ(decay.front(), 1.0f);
  EXPECT_EQ(silu[x.size() - 2], 3.4e38f);
  EXPECT_LE(decay[x.size() - 2], 2e-38f);
}

TEST_P(Kernels_, what_is_no_number_or_no_finite_one_goes_where_the_scalar_layer_sends_it) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {std::nanf(""), kInfinity, -kInfinity, 3e38f, -3e38f, 0.0f, -0.0f};
  const auto width = static_cast<int64_t>(x.size());
  for (const auto function : {ops::Unary::relu2, ops::Unary::sigmoid, ops::Unary::tanh,
                              ops::Unary::silu, ops::Unary::decay, ops::Unary::decay7}) {
    const auto run = [&](const Kernels& k) {
      std::vector<float> y(x.size());
      k.elementwise({.kind = ops::OpKind::unary,
                     .function = function,
                     .a = x.data(),
                     .y = y.data(),
                     .stride = width,
                     .width = width},
                    {0, 1});
      return y;
    };
    const auto expected = run(scalar()), actual = run(kernels());
    for (size_t i = 0; i < x.size(); ++i)
      EXPECT_TRUE(std::isnan(expected[i]) ? std::isnan(actual[i]) : actual[i] == expected[i])
          << "function " << static_cast<int>(function) << " at " << x[i] << ": " << actual[i]
          << ", expected " << expected[i];
  }
}

TEST_P(Kernels_, subnormal_operands_and_results_are_zero) {
  const float a[] = {1e-30f, -1e-30f, 1e-40f, -1e-40f}, b[] = {1e-10f, 1e-10f, 1e30f, 1e30f};
  float y[4];
  kernels().elementwise({.kind = ops::OpKind::mul, .a = a, .b = b, .y = y, .stride = 4, .width = 4},
                        {0, 1});
  for (const float value : y) EXPECT_EQ(value, 0.0f);
}

INSTANTIATE_TEST_SUITE_P(Isa, Kernels_, testing::ValuesIn(instruction_sets()), isa_name);

TEST(Dispatch, an_unknown_instruction_set_is_an_error_that_names_the_known) {
  const auto chosen = kernels("mmx");
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().code, Code::argument);
  EXPECT_NE(chosen.error().message.find("scalar"), std::string::npos);
}

}  // namespace
}  // namespace skein::cpu
