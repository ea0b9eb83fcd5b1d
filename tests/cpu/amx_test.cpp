// The products in AMX tiles, over tiles in plain memory (soft_tiles.h): their arithmetic,
// addressing and edges, on any machine with AVX-512. Where the processor has tiles, the tests of
// every instruction set run the real ones as well.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "cpu/dispatch.h"
#include "cpu/flush.h"
#include "cpu/kernels.h"
#include "cpu/weights.h"
#include "matrix.h"
#include "quant/formats.h"
#include "quant/panels.h"
#include "quant/plain/bits.h"
#include "support/random.h"

#ifdef __x86_64__

#include "cpu/isa/intrinsics.h"

namespace skein::cpu::soft_amx {
void linear(const Linear& l, Range panels);
void linear_fast_of(const Linear& l, Range panels);
void round_rows_of(const RoundRows& q, Range rows);
}  // namespace skein::cpu::soft_amx

#define SK_ISA soft_amx
#include "soft_tiles.h"

#if defined(__clang__)
#pragma clang attribute push(                                                                \
        __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni," \
                              "avx512bf16"))),                                               \
            apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16")
#endif
#include "cpu/isa/avx512.h"

#include "cpu/amx/bf16.h"
#include "cpu/amx/codes.h"

namespace skein::cpu::soft_amx {
void linear(const Linear& l, Range panels) {
  l.codes.shifted ? tiles_of_codes<true>(l, panels) : tiles_of_codes<false>(l, panels);
}
void linear_fast_of(const Linear& l, Range panels) { linear_fast(l, panels); }
void round_rows_of(const RoundRows& q, Range rows) { round_rows(q, rows); }
}  // namespace skein::cpu::soft_amx
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace skein::cpu {
namespace {

using test::Random;

bool can_run() {
  return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
}
#define SK_NEEDS_AVX512() \
  if (!can_run()) GTEST_SKIP() << "SKIPPED: this processor lacks AVX-512 with VNNI and BF16"

enum class Way { vectors, tiles, fast };

std::vector<float> product(const PackedMatrix& matrix, Way way, const std::vector<float>& x,
                           ops::Unary function, int parts) {
  const FlushSubnormals flush;
  const PackedWeight& w = matrix.weight();
  const int64_t tokens = static_cast<int64_t>(x.size()) / w.width;
  const QuantisedRow row = {.in = w.width, .group = w.codes.group};
  const FastRow fast_row = {.in = w.width};
  const int64_t bytes = way == Way::fast ? fast_row.bytes() : row.bytes();
  auto input = *Buffer::make(static_cast<size_t>((tokens + 31) / 32 * 32 * bytes));
  if (way == Way::fast)
    soft_amx::round_rows_of(
        {.x = x.data(), .x_stride = w.width, .in = w.width, .out = input.data()}, {0, tokens});
  else
    kAvx512Kernels.quantise(
        {.x = x.data(), .x_stride = w.width, .row = row, .bias = w.codes.bias, .out = input.data()},
        {0, tokens});
  auto scratch = *Buffer::make(kLinearScratch * sizeof(float));
  std::vector<float> y(static_cast<size_t>(tokens * w.rows), 3.0f), bias(y.size(), 0.25f);
  const Linear l = {.panels = w.data,
                    .type = w.type,
                    .codes = w.codes,
                    .in = w.width,
                    .out = w.rows,
                    .bias = function == ops::Unary::none ? nullptr : bias.data(),
                    .function = function,
                    .quantised = input.data(),
                    .y = y.data(),
                    .y_stride = w.rows,
                    .tokens = tokens,
                    .scratch = scratch.floats()};
  void (*const kernel)(const Linear&, Range) = way == Way::vectors ? kAvx512Kernels.linear
                                               : way == Way::tiles ? soft_amx::linear
                                                                   : soft_amx::linear_fast_of;
  for (int part = 0; part < parts; ++part)
    kernel(l, share((w.rows + kPanel - 1) / kPanel, part, parts));
  return y;
}

TEST(Amx, codes_in_tiles_have_the_bits_of_the_vector_registers) {
  SK_NEEDS_AVX512();
  Random random(6);
  for (const DType type : {DType::q8_0, DType::q4_0, DType::q5_1, DType::q4_k, DType::q6_k,
                           DType::q2_k, DType::iq4_nl, DType::iq4_xs}) {
    for (const int64_t width : {256, 1280}) {
      const PackedMatrix matrix(type, 70, width);
      for (const int64_t tokens : {6, 16, 49}) {
        const auto x = random.floats(static_cast<size_t>(tokens * width));
        for (const auto function : {ops::Unary::none, ops::Unary::relu2}) {
          const auto expected = product(matrix, Way::vectors, x, function, 1);
          for (const int parts : {1, 2}) {
            const auto got = product(matrix, Way::tiles, x, function, parts);
            ASSERT_EQ(0, std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)))
                << dtype_name(type) << ", " << width << " inputs, " << tokens << " tokens";
          }
        }
      }
    }
  }
}

double rounded(float x) { return quant::bf16_to_f32(quant::f32_to_bf16(x)); }

TEST(Amx, a_fast_product_is_that_of_rounded_numbers) {
  SK_NEEDS_AVX512();
  Random random(7);
  for (const DType type : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_k,
                           DType::nf4, DType::int8, DType::q3_k, DType::iq4_nl}) {
    const int64_t block = block_size(type).elements;
    for (const int64_t width : {block == 1 ? int64_t{70} : block, int64_t{1280}}) {
      const PackedMatrix matrix(type, 50, width);
      for (const int64_t tokens : {1, 16, 37, 64}) {
        const auto x = random.floats(static_cast<size_t>(tokens * width));
        const auto y = product(matrix, Way::fast, x, ops::Unary::none, 2);
        for (int64_t t = 0; t < tokens; ++t) {
          for (int64_t r = 0; r < 50; ++r) {
            double sum = 0, sizes = 0;
            for (int64_t k = 0; k < width; ++k) {
              const double term = rounded(x[static_cast<size_t>(t * width + k)]) *
                                  rounded(matrix.values[static_cast<size_t>(r * width + k)]);
              sum += term;
              sizes += std::abs(term);
            }
            // A weight made of a code can fall on the other side of a tie than the decoder's.
            ASSERT_NEAR(y[static_cast<size_t>(t * 50 + r)], sum, sizes * (block == 1 ? 1e-6 : 2e-4))
                << dtype_name(type) << ", row " << r << " of token " << t;
          }
        }
      }
    }
  }
}

TEST(Amx, a_fast_result_depends_on_its_token_alone) {
  SK_NEEDS_AVX512();
  Random random(8);
  const int64_t width = 2304, tokens = 70;
  const PackedMatrix matrix(DType::q4_0, 90, width);
  const auto x = random.floats(static_cast<size_t>(tokens * width));
  const auto together = product(matrix, Way::fast, x, ops::Unary::sigmoid, 3);
  for (int64_t t = 0; t < tokens; t += 11) {
    const auto alone =
        product(matrix, Way::fast, {x.begin() + t * width, x.begin() + (t + 1) * width},
                ops::Unary::sigmoid, 1);
    EXPECT_EQ(0, std::memcmp(alone.data(), together.data() + t * 90, 90 * sizeof(float))) << t;
  }
}

}  // namespace
}  // namespace skein::cpu

#endif
