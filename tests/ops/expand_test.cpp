#include "ops/expand.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cpu/backend.h"
#include "ops/operation.h"
#include "ops/reference.h"
#include "small_program.h"

namespace skein {
namespace {

double largest(const std::vector<float>& a) {
  double most = 0;
  for (const float x : a) most = std::max<double>(most, std::fabs(x));
  return most;
}

double difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max<double>(most, std::fabs(a[i] - b[i]));
  return most;
}

// Rounding: products over 40 inputs, a handful of operations deep, in f32.
constexpr double kRounding = 2e-6;

TEST(Expand, leaves_only_primitives) {
  const test::SmallProgram small;
  const ops::Program expanded = ops::expand(small.program, [](const ops::Op&) { return false; });
  EXPECT_GT(expanded.ops.size(), small.program.ops.size());
  for (const ops::Op& op : expanded.ops)
    EXPECT_FALSE(ops::operation(op).composite(op)) << op_name(op.kind);
}

TEST(Expand, keeps_what_a_backend_can_do_itself) {
  const test::SmallProgram small;
  const ops::Program same = ops::expand(small.program, [](const ops::Op&) { return true; });
  EXPECT_EQ(same.ops.size(), small.program.ops.size());
  EXPECT_EQ(same.values.size(), small.program.values.size());
}

TEST(Expand, means_the_same_on_the_reference_executor) {
  const test::SmallProgram small;
  const ops::Program expanded = ops::expand(small.program, [](const ops::Op&) { return false; });
  const auto backend = ops::reference_backend();
  const auto whole = test::run_small(*backend, small.program, small.weights);
  const auto parts = test::run_small(*backend, expanded, small.weights);
  ASSERT_TRUE(whole && parts);
  EXPECT_LE(difference(whole->logits, parts->logits), kRounding * largest(whole->logits));
  EXPECT_LE(difference(whole->states, parts->states), kRounding * largest(whole->states));
}

TEST(Expand, runs_on_the_cpu_too) {
  const test::SmallProgram small;
  const ops::Program expanded = ops::expand(small.program, [](const ops::Op&) { return false; });
  const auto backend = cpu::make_backend({.threads = 2});
  ASSERT_TRUE(backend) << backend.error().message;
  const auto whole = test::run_small(**backend, small.program, small.weights);
  const auto parts = test::run_small(**backend, expanded, small.weights);
  ASSERT_TRUE(whole && parts);
  EXPECT_LE(difference(whole->logits, parts->logits), kRounding * largest(whole->logits));
}

TEST(Reference, agrees_with_every_cpu_kernel_within_rounding) {
  const test::SmallProgram small;
  const auto reference = ops::reference_backend();
  const auto cpu = cpu::make_backend({.threads = 3});
  ASSERT_TRUE(cpu) << cpu.error().message;
  const auto expected = test::run_small(*reference, small.program, small.weights);
  const auto actual = test::run_small(**cpu, small.program, small.weights);
  ASSERT_TRUE(expected && actual);
  EXPECT_GT(largest(expected->logits), 0.1);
  EXPECT_LE(difference(expected->logits, actual->logits), kRounding * largest(expected->logits));
  EXPECT_LE(difference(expected->states, actual->states), kRounding * largest(expected->states));
}

}  // namespace
}  // namespace skein
