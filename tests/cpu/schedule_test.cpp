#include "cpu/schedule.h"

#include <gtest/gtest.h>

#include <cstring>

#include "cpu/backend.h"
#include "cpu/dispatch.h"
#include "op_program.h"
#include "small_program.h"

namespace skein::cpu {
namespace {

TEST(Schedule, a_reader_on_other_threads_waits_for_its_writer) {
  const test::SmallProgram small;
  const ops::Plan plan = ops::make_plan(small.program);
  for (const bool is_small : {true, false}) {
    const auto schedule = make_schedule(small.program, plan, is_small);
    // Between an operation and each that reads its value there is a meeting, unless both are thread
    // 0's or both go row by row.
    for (size_t writer = 0; writer < schedule.size(); ++writer) {
      for (size_t reader = writer + 1; reader < schedule.size(); ++reader) {
        const auto& w = small.program.ops[writer];
        const auto& r = small.program.ops[reader];
        bool reads = false;
        for (const ops::ValueId in : r.in) reads = reads || in == w.out;
        if (!reads) continue;
        const bool same = schedule[writer].split == schedule[reader].split &&
                          (schedule[writer].split == Split::serial ||
                           (schedule[writer].split == Split::rows && r.kind != ops::OpKind::shift));
        bool met = false;
        for (size_t i = writer + 1; i <= reader; ++i) met = met || schedule[i].wait_before;
        EXPECT_TRUE(same || met) << small.program.values[static_cast<size_t>(w.out)].name << " -> "
                                 << small.program.values[static_cast<size_t>(r.out)].name;
      }
    }
  }
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
    const auto schedule = make_schedule(p.program, ops::make_plan(p.program), false);
    for (size_t i = 0; i < schedule.size(); ++i) {
      if (p.program.ops[i].kind != ops::OpKind::shift) continue;
      EXPECT_EQ(schedule[i].wait_before, chosen < 3) << chosen;  // wkv4 has aa, bb and pp
    }
  }
}

TEST(Schedule, one_token_needs_few_meetings) {
  const test::SmallProgram small;
  const ops::Plan plan = ops::make_plan(small.program);
  int meetings = 0;
  for (const Scheduled& s : make_schedule(small.program, plan, true)) meetings += s.wait_before;
  EXPECT_LT(meetings, static_cast<int>(small.program.ops.size()) / 2);
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
