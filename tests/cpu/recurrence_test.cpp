// RWKV-4's and RWKV-5 and 6's recurrences: the bits of every instruction set, cut into chunks and
// ranges, and their distance from the reference in double.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/dispatch.h"
#include "cpu/flush.h"
#include "support/op_call.h"
#include "support/random.h"

namespace skein::cpu {
namespace {

using test::Random;

constexpr double kHalfUlp = 0x1p-24;

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

bool all_finite(const std::vector<float>& x) {
  return std::all_of(x.begin(), x.end(), [](float v) { return std::isfinite(v); });
}

std::vector<float> absolute(std::vector<float> x) {
  for (float& v : x) v = std::fabs(v);
  return x;
}

// What a recurrence leaves behind.
struct Left {
  std::vector<float> y;  // rows `stride` apart; what lies between them stays 7
  std::vector<float> state;
};

bool same_bits(const Left& a, const Left& b) {
  return same_bits(a.y, b.y) && same_bits(a.state, b.state);
}

class Recurrence : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!GetParam().supported) GTEST_SKIP() << "SKIPPED: this processor lacks " << kernels().title;
  }
  const Kernels& kernels() const { return *GetParam().kernels; }
  static const Kernels& scalar() { return kScalarKernels; }
  FlushSubnormals flush_;
};

std::string isa_name(const testing::TestParamInfo<Isa>& info) { return info.param.kernels->name; }

struct Case4 {
  int64_t width = 0, tokens = 0, stride = 0;
  std::vector<float> k, v, w, u, state;

  Case4(Random& random, int64_t width_, int64_t tokens_, float k_size)
      : width(width_), tokens(tokens_), stride(width_ + 9) {
    const auto size = static_cast<size_t>(tokens * stride);
    k = random.floats(size, -k_size, k_size);
    v = random.floats(size, -3, 3);
    w = random.floats(static_cast<size_t>(width), -4, 0);
    for (size_t i = 0; i < w.size(); i += 5) w[i] = i % 2 ? -1e-6f : -200.0f;  // slow and fast
    u = random.floats(static_cast<size_t>(width), -2, 2);
    state.assign(static_cast<size_t>(3 * width), 0.0f);
    std::fill(state.end() - width, state.end(), -1e30f);
  }
};

Left run(const Kernels& kernels, const Case4& c, int64_t chunk, int parts) {
  Left left = {std::vector<float>(c.k.size(), 7.0f), c.state};
  const int64_t blocks = (c.width + 15) / 16;
  for (int part = 0; part < parts; ++part) {
    for (int64_t t = 0; t < c.tokens; t += chunk) {
      const int64_t at = t * c.stride;
      kernels.wkv4({.k = c.k.data() + at,
                    .v = c.v.data() + at,
                    .w = c.w.data(),
                    .u = c.u.data(),
                    .y = left.y.data() + at,
                    .aa = left.state.data(),
                    .bb = left.state.data() + c.width,
                    .pp = left.state.data() + 2 * c.width,
                    .stride = c.stride,
                    .tokens = std::min(chunk, c.tokens - t),
                    .width = c.width},
                   share(blocks, part, parts));
    }
  }
  return left;
}

// Rows of results as the kernels leave them.
Left with_rows(const std::vector<double>& y, std::vector<float> state, int64_t width,
               int64_t stride) {
  Left left = {{}, std::move(state)};
  const int64_t tokens = std::ssize(y) / width;
  left.y.assign(static_cast<size_t>(tokens * stride), 7.0f);
  for (int64_t i = 0; i < std::ssize(y); ++i)
    left.y[static_cast<size_t>(i / width * stride + i % width)] =
        static_cast<float>(y[static_cast<size_t>(i)]);
  return left;
}

Left reference(const Case4& c) {
  std::vector<float> state = c.state;
  const test::OpRows rows = {
      .op = {.kind = ops::OpKind::wkv4},
      .tokens = c.tokens,
      .width = c.width,
      .in = {{{c.k.data(), c.stride}, {c.v.data(), c.stride}, {c.w.data()}, {c.u.data()}}}};
  const auto y = rows.run(state);
  return with_rows(y, state, c.width, c.stride);
}

TEST_P(Recurrence, wkv4_gives_the_scalar_bits_for_any_chunk_and_split) {
  Random random(1);
  for (const int64_t width : {1, 7, 16, 17, 40, 64, 100}) {
    for (const float k_size : {1.0f, 500.0f}) {
      const Case4 c(random, width, 9, k_size);
      const Left expected = run(scalar(), c, c.tokens, 1);
      for (const int64_t chunk : {int64_t{1}, int64_t{4}, c.tokens})
        for (const int parts : {1, 2, 3})
          EXPECT_TRUE(same_bits(run(kernels(), c, chunk, parts), expected)) << "width " << width;
    }
  }
}

TEST_P(Recurrence, wkv4_is_the_reference_within_rounding) {
  Random random(2);
  for (const int64_t width : {5, 16, 40, 96}) {
    for (const float k_size : {0.0f, 3.0f, 40.0f, 500.0f}) {
      Case4 c(random, width, 24, k_size);
      const Left expected = reference(c), actual = run(kernels(), c, c.tokens, 2);
      c.v = absolute(c.v);
      const Left size = reference(c);  // a mean of |v|, and the sums without cancellation
      // An exponent is rounded once when a decay is added to it, once when a difference is taken;
      // each token does that to every earlier term. The rest are a few operations a token.
      const double exponent = k_size + 200 + 4 * double(c.tokens);
      const double bound = (2 * exponent + 12) * double(c.tokens) * kHalfUlp;
      for (size_t i = 0; i < expected.y.size(); ++i)
        ASSERT_NEAR(actual.y[i], expected.y[i], bound * size.y[i]) << width << " " << k_size;
      for (size_t i = 0; i < expected.state.size(); ++i)
        ASSERT_NEAR(actual.state[i], expected.state[i], bound * std::fabs(size.state[i]));
    }
  }
}

// The first token is its own mean; after it every result lies between the values seen so far, and
// the denominator never falls below 1.
TEST_P(Recurrence, wkv4_stays_a_mean_whatever_the_exponents) {
  Random random(3);
  for (const float k_size : {0.5f, 90.0f, 500.0f, 1e6f}) {
    const Case4 c(random, 37, 200, k_size);
    const Left left = run(kernels(), c, c.tokens, 1);
    ASSERT_TRUE(all_finite(left.y) && all_finite(left.state));
    for (int64_t i = 0; i < c.width; ++i) {
      EXPECT_EQ(left.y[size_t(i)], c.v[size_t(i)]);
      EXPECT_GE(left.state[size_t(c.width + i)], 1.0f);
      float low = 3, high = -3;
      for (int64_t t = 0; t < c.tokens; ++t) {
        const auto at = static_cast<size_t>(t * c.stride + i);
        low = std::min(low, c.v[at]), high = std::max(high, c.v[at]);
        EXPECT_GE(left.y[at], low - 1e-4f);
        EXPECT_LE(left.y[at], high + 1e-4f);
      }
    }
  }
}

struct Case6 {
  int64_t n = 0, tokens = 0, stride = 0;
  bool w_constant = false;
  float scale = 1;
  std::vector<float> r, k, v, w, u, state;  // u: empty without bonus

  Case6(Random& random, int64_t n_, int64_t tokens_, bool bonus, bool w_constant_)
      : n(n_), tokens(tokens_), stride(n_ + 16), w_constant(w_constant_) {
    const auto size = static_cast<size_t>(tokens * stride);
    r = random.floats(size, -3, 3);
    k = random.floats(size, -3, 3);
    v = random.floats(size, -3, 3);
    w = random.floats(size, 0, 1);
    for (size_t i = 0; i < w.size(); i += 7) w[i] = i % 2 ? 1.0f : 0.0f;
    for (size_t i = 3; i < w.size(); i += 7) w[i] = 1.6e-38f;  // where our decay stops
    if (bonus) u = random.floats(static_cast<size_t>(n), -2, 2);
    if (!bonus) scale = 1 / std::sqrt(static_cast<float>(n));
    state = random.floats(static_cast<size_t>(n * n), -2, 2);
  }
};

Left run(const Kernels& kernels, const Case6& c, int64_t chunk) {
  Left left = {std::vector<float>(c.r.size(), 7.0f), c.state};
  for (int64_t t = 0; t < c.tokens; t += chunk) {
    const int64_t at = t * c.stride;
    kernels.wkv6({.r = c.r.data() + at,
                  .k = c.k.data() + at,
                  .v = c.v.data() + at,
                  .w = c.w.data() + (c.w_constant ? 0 : at),
                  .w_stride = c.w_constant ? 0 : c.stride,
                  .u = c.u.empty() ? nullptr : c.u.data(),
                  .scale = c.scale,
                  .y = left.y.data() + at,
                  .state = left.state.data(),
                  .stride = c.stride,
                  .tokens = std::min(chunk, c.tokens - t),
                  .size = c.n});
  }
  return left;
}

Left reference(const Case6& c) {
  std::vector<float> state = c.state;
  const test::OpRows rows = {.op = {.kind = ops::OpKind::wkv6, .heads = 1, .scale = c.scale},
                             .tokens = c.tokens,
                             .width = c.n,
                             .in = {{{c.r.data(), c.stride},
                                     {c.k.data(), c.stride},
                                     {c.v.data(), c.stride},
                                     {c.w.data(), c.w_constant ? 0 : c.stride},
                                     {c.u.empty() ? nullptr : c.u.data()}}}};
  const auto y = rows.run(state);
  return with_rows(y, state, c.n, c.stride);
}

TEST_P(Recurrence, wkv6_gives_the_scalar_bits_and_does_not_mind_chunks) {
  Random random(4);
  for (const int64_t n : {1, 8, 16, 20, 64, 80, 128}) {
    for (const bool bonus : {true, false}) {
      for (const bool constant : {true, false}) {
        const Case6 c(random, n, 7, bonus, constant);
        const Left expected = run(scalar(), c, c.tokens);
        for (const int64_t chunk : {int64_t{1}, int64_t{4}, c.tokens})
          EXPECT_TRUE(same_bits(run(kernels(), c, chunk), expected)) << "N " << n;
      }
    }
  }
}

TEST_P(Recurrence, wkv6_is_the_reference_within_rounding) {
  Random random(5);
  for (const int64_t n : {8, 16, 20, 64, 128}) {
    for (const bool bonus : {true, false}) {
      for (const bool constant : {true, false}) {
        Case6 c(random, n, 12, bonus, constant);
        const Left expected = reference(c), actual = run(kernels(), c, 5);
        for (auto* x : {&c.r, &c.k, &c.v, &c.u, &c.state}) *x = absolute(*x);
        const Left size = reference(c);  // the same sums without cancellation
        // Three roundings a token in a state; N in a sum of N terms, and those of the bonus. The
        // smallest normal number is what flushing can cost.
        const double bound = double(3 * c.tokens + 2 * n + 4) * kHalfUlp;
        for (size_t i = 0; i < expected.y.size(); ++i)
          ASSERT_NEAR(actual.y[i], expected.y[i], bound * size.y[i] + 1e-36) << "N " << n;
        for (size_t i = 0; i < expected.state.size(); ++i)
          ASSERT_NEAR(actual.state[i], expected.state[i], bound * size.state[i] + 1e-36);
      }
    }
  }
}

TEST_P(Recurrence, wkv6_forgets_everything_when_the_decay_is_zero) {
  Random random(6);
  Case6 c(random, 64, 1, false, false);
  c.scale = 1;
  std::fill(c.w.begin(), c.w.end(), 0.0f);
  const Left left = run(kernels(), c, 1);
  for (int64_t i = 0; i < c.n; ++i)
    for (int64_t j = 0; j < c.n; ++j)
      EXPECT_EQ(left.state[size_t(i * c.n + j)], c.k[size_t(i)] * c.v[size_t(j)]);
}

INSTANTIATE_TEST_SUITE_P(Isa, Recurrence, testing::ValuesIn(instruction_sets()), isa_name);

}  // namespace
}  // namespace skein::cpu
