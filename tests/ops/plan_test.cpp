#include "ops/plan.h"

#include <gtest/gtest.h>

#include "small_program.h"

namespace skein {
namespace {

// For each value the operations between which it has to stay.
struct Life {
  size_t born = 0;
  size_t last_read = 0;
};

std::vector<Life> lives(const ops::Program& program) {
  std::vector<Life> out(program.values.size());
  for (size_t i = 0; i < program.ops.size(); ++i) {
    const ops::Op& op = program.ops[i];
    out[static_cast<size_t>(op.out)] = {i, i};
    for (const ops::ValueId in : op.in)
      if (in != ops::kNone) out[static_cast<size_t>(in)].last_read = i;
  }
  return out;
}

TEST(Plan, values_that_live_at_the_same_time_never_share_memory) {
  const test::SmallProgram small;
  const ops::Plan plan = ops::make_plan(small.program);
  const auto life = lives(small.program);
  for (size_t a = 0; a < life.size(); ++a) {
    for (size_t b = a + 1; b < life.size(); ++b) {
      if (plan.offset[a] == ops::kNone || plan.offset[b] == ops::kNone) continue;
      const bool together = life[a].born <= life[b].last_read && life[b].born <= life[a].last_read;
      const bool apart = plan.offset[a] + plan.size[a] <= plan.offset[b] ||
                         plan.offset[b] + plan.size[b] <= plan.offset[a];
      EXPECT_TRUE(!together || apart)
          << small.program.values[a].name << " and " << small.program.values[b].name;
    }
  }
}

// Groups of three, whatever the operations.
std::vector<int32_t> threes(const ops::Program& program) {
  std::vector<int32_t> groups;
  for (size_t i = 0; i < program.ops.size(); ++i) groups.push_back(static_cast<int32_t>(i / 3));
  return groups;
}

TEST(Plan, a_group_shares_no_memory_with_what_it_reads_and_keeps_the_rest_to_itself) {
  const test::SmallProgram small;
  const auto groups = threes(small.program);
  const ops::Plan plan = ops::make_plan(small.program, groups);
  auto life = lives(small.program);
  int local = 0;
  for (size_t v = 0; v < life.size(); ++v) {
    const bool inside = groups[life[v].born] == groups[life[v].last_read];
    EXPECT_EQ(plan.local[v], inside && static_cast<ops::ValueId>(v) != small.program.logits);
    local += plan.local[v];
    if (plan.local[v]) {
      EXPECT_LE(plan.offset[v] + plan.size[v], plan.local_floats_per_row);
      continue;
    }
    while (life[v].born > 0 && groups[life[v].born - 1] == groups[life[v].born]) --life[v].born;
    while (life[v].last_read + 1 < groups.size() &&
           groups[life[v].last_read + 1] == groups[life[v].last_read])
      ++life[v].last_read;
  }
  EXPECT_GT(local, 3);
  for (size_t a = 0; a < life.size(); ++a) {
    for (size_t b = a + 1; b < life.size(); ++b) {
      if (plan.offset[a] == ops::kNone || plan.offset[b] == ops::kNone) continue;
      if (plan.local[a] != plan.local[b]) continue;
      if (plan.local[a] && groups[life[a].born] != groups[life[b].born]) continue;
      const bool together = life[a].born <= life[b].last_read && life[b].born <= life[a].last_read;
      const bool apart = plan.offset[a] + plan.size[a] <= plan.offset[b] ||
                         plan.offset[b] + plan.size[b] <= plan.offset[a];
      EXPECT_TRUE(!together || apart)
          << small.program.values[a].name << " and " << small.program.values[b].name;
    }
  }
}

TEST(Plan, memory_is_reused) {
  const test::SmallProgram small;
  const ops::Plan plan = ops::make_plan(small.program);
  int64_t sum = 0;
  for (const int64_t size : plan.size) sum += size;
  EXPECT_LT(plan.floats_per_token, sum * 2 / 3);
}

TEST(Plan, every_value_fits_and_is_aligned) {
  const test::SmallProgram small;
  const ops::Plan plan = ops::make_plan(small.program);
  for (size_t v = 0; v < plan.offset.size(); ++v) {
    if (static_cast<ops::ValueId>(v) == small.program.logits) {
      EXPECT_EQ(plan.offset[v], ops::kNone);
      continue;
    }
    EXPECT_GE(plan.size[v], small.program.values[v].width);
    EXPECT_EQ(plan.offset[v] % 16, 0);
    EXPECT_LE(plan.offset[v] + plan.size[v], plan.floats_per_token);
  }
}

}  // namespace
}  // namespace skein
