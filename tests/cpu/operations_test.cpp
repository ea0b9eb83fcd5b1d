// Each operation in a program of its own, over shapes that do and do not fill vectors: the CPU
// against the reference executor, and the CPU against itself however the work is cut.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "cpu/backend.h"
#include "cpu/dispatch.h"
#include "op_program.h"
#include "ops/reference.h"

namespace skein::cpu {
namespace {

using ops::Unary, ops::Var;
using test::OpProgram;

struct Operation {
  std::string name;
  std::function<Var(OpProgram&)> record;
};

Var wkv4(OpProgram& p, int32_t width) {
  const auto aa = p.recorder.slot("aa", width);
  p.recorder.slot("bb", width);
  p.recorder.slot("pp", width);
  return p.recorder.wkv4("y", p.input(width), p.input(width), p.vector(width, -3, -0.01f),
                         p.vector(width), aa);
}

Var wkv6(OpProgram& p, int32_t heads, int32_t size, bool constant, bool bonus) {
  const int32_t width = heads * size;
  const auto slot = p.recorder.slot("kv", int64_t{heads} * size * size);
  const Var r = p.input(width), k = p.input(width), v = p.input(width);
  const ops::Weight u = bonus ? p.vector(width) : ops::Weight{};
  if (constant) return p.recorder.wkv6("y", r, k, v, p.vector(width, 0, 1), u, slot, heads, 0.5f);
  return p.recorder.wkv6("y", r, k, v, p.input(width, 0, 1), u, slot, heads, 0.25f);
}

Var wkv7(OpProgram& p, int32_t heads, int32_t size) {
  const int32_t width = heads * size;
  const auto slot = p.recorder.slot("kv", int64_t{heads} * size * size);
  const Var kk = p.recorder.l2norm_heads("kk", p.input(width), heads);
  return p.recorder.wkv7("y", p.input(width), p.input(width, 0.55f, 1), p.input(width),
                         p.input(width), kk, p.input(width, 0, 1), slot, heads);
}

std::vector<Operation> operations() {
  std::vector<Operation> all;
  for (const int32_t width : {1, 24, 33, 80}) {
    const std::string at = fmt::format(" of {}", width);
    all.push_back({"rms_norm" + at, [=](OpProgram& p) {
                     return p.recorder.rms_norm("y", p.input(width), p.vector(width), 1e-6f);
                   }});
    all.push_back({"difference" + at, [=](OpProgram& p) {
                     const Var a = p.input(width);
                     return a - p.input(width);
                   }});
    for (const Unary function : {Unary::silu, Unary::decay})
      all.push_back({"unary" + at, [=](OpProgram& p) {
                       return p.recorder.unary("y", p.input(width, -4, 4), function);
                     }});
    all.push_back({"linear with silu" + at, [=](OpProgram& p) {
                     return p.recorder.linear("y", p.input(20), p.matrix(width, 20), Unary::silu);
                   }});
    all.push_back({"linear with decay" + at, [=](OpProgram& p) {
                     return p.recorder.linear("y", p.input(20), p.matrix(width, 20), Unary::decay,
                                              p.vector(width));
                   }});
    all.push_back({"wkv4" + at, [=](OpProgram& p) { return wkv4(p, width); }});
  }
  for (const auto& [groups, heads, size] :
       {std::tuple{1, 1, 5}, {2, 6, 8}, {3, 3, 20}, {1, 4, 16}, {2, 4, 33}}) {
    all.push_back({fmt::format("repeat_heads {} {} {}", groups, heads, size), [=](OpProgram& p) {
                     return p.recorder.repeat_heads("y", p.input(groups * size), groups, heads);
                   }});
  }
  for (const auto& [in, out] : {std::pair{1, 1}, {32, 32}, {5, 33}, {40, 3}}) {
    all.push_back({fmt::format("token_matmul {} {}", in, out), [=](OpProgram& p) {
                     return p.recorder.token_matmul("y", p.input(in), p.input(in * out));
                   }});
  }
  for (const auto& [heads, in, out] : {std::tuple{2, 20, 1}, {3, 4, 17}, {5, 1, 3}}) {
    all.push_back(
        {fmt::format("token_matmul of {} heads {} {}", heads, in, out), [=](OpProgram& p) {
           return p.recorder.token_matmul("y", p.input(heads * in), p.input(heads * in * out),
                                          heads);
         }});
  }
  for (const auto& [heads, size] : {std::pair{1, 1}, {5, 8}, {3, 16}, {2, 20}, {2, 64}, {1, 128}}) {
    for (const bool constant : {true, false})
      for (const bool bonus : {true, false})
        all.push_back({fmt::format("wkv6 {} {} {} {}", heads, size, constant, bonus),
                       [=](OpProgram& p) { return wkv6(p, heads, size, constant, bonus); }});
    all.push_back({fmt::format("wkv7 {} {}", heads, size),
                   [=](OpProgram& p) { return wkv7(p, heads, size); }});
  }
  return all;
}

void expect_close(const std::vector<float>& actual, const std::vector<float>& expected,
                  const std::string& name) {
  ASSERT_EQ(actual.size(), expected.size());
  double largest = 0;
  for (const float x : expected)
    if (std::fabs(x) < 1e29f) largest = std::max<double>(largest, std::fabs(x));
  // Sums of at most 128 terms and nine tokens in f32; a wrong term shows in the first digits.
  for (size_t i = 0; i < actual.size(); ++i)
    ASSERT_NEAR(actual[i], expected[i], 5e-6 * largest) << name << " at " << i;
}

TEST(Operations, the_cpu_agrees_with_the_reference) {
  const auto reference = ops::reference_backend();
  const auto cpu = make_backend({.threads = 3, .share_every_step = true});
  ASSERT_TRUE(cpu) << cpu.error().message;
  uint64_t seed = 1;
  for (const Operation& operation : operations()) {
    OpProgram p(seed++);
    p.finish(operation.record(p));
    const auto expected = p.run(*reference), actual = p.run(**cpu);
    ASSERT_TRUE(expected && actual) << operation.name;
    expect_close(actual->logits, expected->logits, operation.name);
    expect_close(actual->states, expected->states, operation.name + " state");
  }
}

TEST(Operations, threads_chunks_and_instruction_sets_do_not_show_in_the_bits) {
  struct Way {
    std::unique_ptr<ops::Backend> backend;
    std::vector<int32_t> chunks;
  };
  std::vector<Way> ways;
  for (const Isa& isa : instruction_sets()) {
    if (!isa.supported) continue;
    for (const int threads : {1, 3}) {
      auto backend =
          make_backend({.threads = threads, .isa = isa.kernels->name, .share_every_step = true});
      ASSERT_TRUE(backend) << backend.error().message;
      // Threads meet often and wait long where there are fewer processors: the chunks of 4 of the
      // sequence of 9 end with a step of one token, which is enough of those.
      ways.push_back(
          {std::move(*backend), threads == 1 ? std::vector{1, 4, 9} : std::vector{4, 9}});
    }
  }
  uint64_t seed = 1;
  for (const Operation& operation : operations()) {
    OpProgram p(seed++);
    p.finish(operation.record(p));
    std::optional<OpProgram::Ran> first;
    for (const auto& [backend, chunks] : ways) {
      for (const int32_t chunk : chunks) {
        const auto ran = p.run(*backend, chunk);
        ASSERT_TRUE(ran) << ran.error().message;
        if (!first) first = *ran;
        EXPECT_EQ(*first, *ran) << operation.name << ", " << backend->describe() << ", chunks of "
                                << chunk;
      }
    }
  }
}

}  // namespace
}  // namespace skein::cpu
