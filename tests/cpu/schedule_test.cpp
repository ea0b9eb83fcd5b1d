#include "cpu/schedule.h"

#include <gtest/gtest.h>

#include <cstring>

#include "cpu/backend.h"
#include "cpu/dispatch.h"
#include "op_program.h"
#include "small_program.h"
#include "support/races.h"

namespace skein::cpu {
namespace {

TEST(Schedule, no_two_threads_touch_one_number_between_two_barriers) {
  const test::SmallProgram small;
  for (const StepSize size : {StepSize::small, StepSize::large})
    for (const int threads : {2, 3, 5})
      EXPECT_EQ(
          test::find_race(small.program, make_schedule(small.program, size, threads), threads, 7),
          "");
}

// The check above can fail. Some barriers are there for other step sizes than this one.
TEST(Schedule, most_missing_barriers_are_races) {
  const test::SmallProgram small;
  for (const StepSize size : {StepSize::small, StepSize::large}) {
    const Schedule schedule = make_schedule(small.program, size, 2);
    int barriers = 0, races = 0;
    for (size_t i = 0; i < schedule.ops.size(); ++i) {
      if (!schedule.ops[i].wait_before) continue;
      Schedule broken = schedule;
      broken.ops[i].wait_before = false;
      ++barriers;
      races += !test::find_race(small.program, broken, 2, 7).empty();
    }
    EXPECT_GT(races, barriers * 3 / 4);
  }
}

TEST(Schedule, whole_heads_go_to_one_thread_where_they_go_round) {
  test::OpProgram p(1);
  ops::Recorder& b = p.recorder;
  const ops::Var x = p.input(256);
  p.finish(b.l2norm_heads("y", b.mul("scaled", x, p.vector(256)), 4));
  for (const auto& [threads, split] : {std::pair{1, Split::columns},
                                       {2, Split::columns},
                                       {3, Split::serial},
                                       {4, Split::columns},
                                       {5, Split::serial}}) {
    const Schedule schedule = make_schedule(p.program, StepSize::small, threads);
    for (size_t i = 0; i < schedule.ops.size(); ++i) {
      const ops::OpKind kind = p.program.ops[i].kind;
      if (kind != ops::OpKind::l2norm_heads && kind != ops::OpKind::mul) continue;
      EXPECT_EQ(schedule.ops[i].split, split) << threads;
      EXPECT_EQ(schedule.ops[i].grain, split == Split::columns ? 64 : 16);
    }
  }
}

TEST(Schedule, neighbours_that_hand_on_their_own_rows_are_joined) {
  test::OpProgram p(1);
  ops::Recorder& b = p.recorder;
  const ops::Var x = p.input(32);
  const ops::Var sum = x + x;
  const ops::Var norm = b.layer_norm("norm", sum, p.vector(32), p.vector(32), 1e-5f);
  const ops::Var before = b.shift("before", norm, b.slot("memory", 32));
  const ops::Var mixed = b.lerp("mixed", norm, before, p.vector(32));
  p.finish(mixed + sum);
  const Schedule schedule = make_schedule(p.program, StepSize::large, 2);
  const auto made = [&](ops::Var v) -> const Scheduled& {
    for (size_t i = 0;; ++i)
      if (p.program.ops[i].out == v.id()) return schedule.ops[i];
  };
  EXPECT_TRUE(made(norm).joined);
  EXPECT_FALSE(made(before).joined);  // it reads a neighbour's row
  EXPECT_TRUE(made(before).wait_before);
  EXPECT_TRUE(made(mixed).joined);
  EXPECT_TRUE(schedule.plan.local[static_cast<size_t>(before.id())]);
  EXPECT_FALSE(schedule.plan.local[static_cast<size_t>(norm.id())]);  // two groups read it
}

TEST(Schedule, operations_on_one_slot_do_not_run_at_the_same_time) {
  for (const int chosen : {0, 1, 2, 3}) {
    test::OpProgram p(1);
    ops::Recorder& b = p.recorder;
    const ops::Var k = p.input(32), v = p.input(32);
    const ops::SlotId slots[] = {b.slot("aa", 32), b.slot("bb", 32), b.slot("pp", 32),
                                 b.slot("other", 32)};
    const ops::Var y = b.wkv4("y", k, v, p.vector(32), p.vector(32), slots[0]);
    // k lives on, so that the shift does not wait for its memory.
    p.finish(y + b.shift("shifted", v, slots[chosen]) + k);
    const auto schedule = make_schedule(p.program, StepSize::small, 2).ops;
    for (size_t i = 0; i < schedule.size(); ++i) {
      if (p.program.ops[i].kind != ops::OpKind::shift) continue;
      EXPECT_EQ(schedule[i].wait_before, chosen < 3) << chosen;  // wkv4 has aa, bb and pp
    }
  }
}

TEST(Executor, threads_and_instruction_sets_do_not_show_in_the_bits) {
  const test::SmallProgram small;
  std::optional<test::Ran> first;
  for (const Isa& isa : instruction_sets()) {
    if (!isa.supported) continue;
    for (const int threads : {1, 2, 3, 5}) {
      const auto backend =
          make_backend({.threads = threads, .isa = isa.kernels->name, .share_every_step = true});
      ASSERT_TRUE(backend) << backend.error().message;
      const auto ran = test::run_small(**backend, small.program, small.weights);
      ASSERT_TRUE(ran) << ran.error().message;
      if (!first) first = *ran;
      EXPECT_EQ(0, std::memcmp(first->logits.data(), ran->logits.data(),
                               first->logits.size() * sizeof(float)))
          << isa.kernels->name << ", " << threads << " threads";
      EXPECT_EQ(0, std::memcmp(first->states.data(), ran->states.data(),
                               first->states.size() * sizeof(float)));
    }
  }
}

}  // namespace
}  // namespace skein::cpu
