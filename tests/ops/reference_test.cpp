// The reference executor against other forms of the same mathematics: what backends are compared
// with must not share a mistake with them.
#include "ops/reference.h"

#include <gtest/gtest.h>

#include <cmath>

#include "op_program.h"
#include "support/op_call.h"

namespace skein {
namespace {

using ops::Unary;
using test::OpProgram, test::Random;

// The sums over all earlier tokens that RWKV-4's recurrence is a shortcut for.
TEST(Reference, wkv4_is_the_closed_form) {
  Random random(1);
  const int64_t width = 5, tokens = 12;
  const auto k = random.floats(size_t(width * tokens), -2, 2);
  const auto v = random.floats(size_t(width * tokens), -2, 2);
  const auto w = random.floats(size_t(width), -1, -0.05f), u = random.floats(size_t(width), -1, 1);
  std::vector<float> state(size_t(3 * width), 0.0f);
  std::fill(state.end() - width, state.end(), -1e30f);
  const auto y =
      test::OpRows{.op = {.kind = ops::OpKind::wkv4},
                   .tokens = tokens,
                   .width = width,
                   .in = {{{k.data(), width}, {v.data(), width}, {w.data()}, {u.data()}}}}
          .run(state);
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t c = 0; c < width; ++c) {
      double above = 0, below = 0;
      for (int64_t i = 0; i <= t; ++i) {
        const double exponent = i == t ? u[size_t(c)] : double(t - 1 - i) * w[size_t(c)];
        const double weight = std::exp(exponent + k[size_t(i * width + c)]);
        above += weight * v[size_t(i * width + c)];
        below += weight;
      }
      EXPECT_NEAR(y[size_t(t * width + c)], above / below, 1e-5);
    }
  }
  // aa / e^-pp and bb / e^-pp are the sums that the next token would read.
  for (int64_t c = 0; c < width; ++c) {
    double below = 0;
    for (int64_t i = 0; i < tokens; ++i)
      below += std::exp(double(tokens - 1 - i) * w[size_t(c)] + k[size_t(i * width + c)]);
    const double scaled = state[size_t(width + c)] * std::exp(state[size_t(2 * width + c)]);
    EXPECT_NEAR(scaled, below, 1e-5 * below);
  }
}

// y_t from all earlier tokens, each weighted with the product of the decays since.
TEST(Reference, wkv6_is_the_unrolled_form) {
  Random random(2);
  constexpr int64_t heads = 2, n = 4, width = heads * n, tokens = 7;
  const auto size = static_cast<size_t>(width * tokens);
  const auto r = random.floats(size), k = random.floats(size), v = random.floats(size);
  const auto w = random.floats(size, 0, 1), u = random.floats(size_t(width));
  const auto start = random.floats(size_t(heads * n * n));
  for (const bool bonus : {true, false}) {
    for (const bool constant : {true, false}) {
      auto state = start;
      const auto y =
          test::OpRows{.op = {.kind = ops::OpKind::wkv6, .heads = int32_t{heads}, .scale = 0.5f},
                       .tokens = tokens,
                       .width = width,
                       .in = {{{r.data(), width},
                               {k.data(), width},
                               {v.data(), width},
                               {w.data(), constant ? 0 : width},
                               {bonus ? u.data() : nullptr}}}}
              .run(state);
      for (int64_t t = 0; t < tokens; ++t) {
        for (int64_t c = 0; c < width; ++c) {
          const int64_t first = c / n * n;
          double sum = 0;
          for (int64_t i = first; i < first + n; ++i) {
            const auto decay = [&](int64_t s) {
              return double(w[size_t((constant ? 0 : s * width) + i)]);
            };
            // With a bonus the token reads what was there before it; without, what it leaves.
            double product = bonus ? 1 : decay(t);
            double read =
                (bonus ? u[size_t(i)] : 1) * k[size_t(t * width + i)] * v[size_t(t * width + c)];
            for (int64_t s = t - 1; s >= 0; --s) {
              read += product * k[size_t(s * width + i)] * v[size_t(s * width + c)];
              product *= decay(s);
            }
            read += product * start[size_t(i * n + c % n)];
            sum += r[size_t(t * width + i)] * read;
          }
          EXPECT_NEAR(y[size_t(t * width + c)], 0.5 * sum, 1e-6) << t << " " << c;
        }
      }
    }
  }
}

// The result of a program's operation, one row for each token.
std::vector<float> result(OpProgram& p, ops::Var y) {
  p.finish(y);
  const auto reference = ops::reference_backend();
  const auto ran = p.run(*reference);
  EXPECT_TRUE(ran) << ran.error().message;
  return ran ? ran->logits : std::vector<float>();
}

TEST(Reference, rms_norm_leaves_the_mean_alone) {
  OpProgram p(3);
  const ops::Var input = p.input(3);
  const auto y = result(p, p.recorder.rms_norm("y", input, p.vector(3), 0.01f));
  for (int32_t row = 0; row < 16; ++row) {
    const float* x = p.data(0).data() + OpProgram::token(row) * 3;
    const double squares = double(x[0]) * x[0] + double(x[1]) * x[1] + double(x[2]) * x[2];
    for (int32_t i = 0; i < 3; ++i)
      EXPECT_NEAR(y[size_t(row * 3 + i)],
                  x[i] / std::sqrt(squares / 3 + 0.01) * p.data(1)[size_t(i)], 1e-6);
  }
}

TEST(Reference, heads_of_a_group_are_neighbours) {
  OpProgram p(4);
  const auto y = result(p, p.recorder.repeat_heads("y", p.input(6), 2, 6));  // heads of 3
  for (int32_t row = 0; row < 16; ++row) {
    const float* x = p.data(0).data() + OpProgram::token(row) * 6;
    const float* got = y.data() + row * 18;
    for (int32_t head = 0; head < 6; ++head)
      for (int32_t i = 0; i < 3; ++i)
        EXPECT_EQ(got[head * 3 + i], x[(head < 3 ? 0 : 3) + i]) << head;
  }
}

TEST(Reference, a_tokens_own_matrix_is_read_by_rows) {
  OpProgram p(5);
  const ops::Var x = p.input(2);
  const auto y = result(p, p.recorder.token_matmul("y", x, p.input(6)));
  for (int32_t row = 0; row < 16; ++row) {
    const float* a = p.data(0).data() + OpProgram::token(row) * 2;
    const float* m = p.data(1).data() + OpProgram::token(row) * 6;
    for (int32_t b = 0; b < 3; ++b)
      EXPECT_NEAR(y[size_t(row * 3 + b)], double(a[0]) * m[b] + double(a[1]) * m[3 + b], 1e-6);
  }
}

TEST(Reference, silu_and_decay_are_their_formulas) {
  for (const Unary function : {Unary::silu, Unary::decay}) {
    OpProgram p(6);
    const auto y = result(p, p.recorder.unary("y", p.input(4, -5, 5), function));
    for (int32_t i = 0; i < 64; ++i) {
      const double x = p.data(0)[size_t(OpProgram::token(i / 4) * 4 + i % 4)];
      const double want = function == Unary::silu ? x / (1 + std::exp(-x)) : std::exp(-std::exp(x));
      EXPECT_NEAR(y[size_t(i)], want, 1e-6) << x;
    }
  }
}

}  // namespace
}  // namespace skein
