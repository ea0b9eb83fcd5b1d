// The desk, its schedule, jobs and the engine in a simulated world: a seed decides who comes when,
// who leaves, who reads slowly, what memory there is and where it fails. After each round what has
// to hold is looked at.
#include "server/simulation.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "support/sanitizers.h"
#include "support/thorough.h"

namespace skein::test {
namespace {

// One seed alone: SKEIN_SEED=17 build/tests/server/test_server_simulation
TEST(Simulation, whatever_happens_each_request_ends_once_and_says_what_it_says_alone) {
  const char* only = std::getenv("SKEIN_SEED");
  const uint64_t first = only ? std::strtoull(only, nullptr, 10) : 1;
  const uint64_t count = only ? 1 : thorough() ? 10'000 : kAddressSanitizer ? 100 : 500;
  const int rounds = thorough() ? 200 : 60;
  const Wishes wishes(100);
  server::ScheduleCounts all;
  uint64_t refused = 0, numeric = 0, failures = 0, began = 0, recalled = 0, joined = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    World world(wishes, seed, rounds);
    const std::string wrong = world.run();
    ASSERT_EQ(wrong, "") << "again: SKEIN_SEED=" << seed
                         << (thorough() ? " SKEIN_TESTS=thorough" : "")
                         << " build/tests/server/test_server_simulation";
    const server::ScheduleCounts& counts = world.counts();
    all.full += counts.full;
    all.share += counts.share;
    all.overdue += counts.overdue;
    all.turns += counts.turns;
    all.readers += counts.readers;
    for (const uint64_t of : counts.waits) began += of;
    refused += world.refused();
    numeric += world.numeric();
    failures += world.failed_allocations();
    recalled += world.recalled();
    joined += world.joined();
  }
  if (only) return;
  // What is to be simulated has happened.
  EXPECT_GT(began, 5 * count);
  for (const uint64_t happened : {all.full, all.share, all.overdue, all.turns, all.readers, refused,
                                  numeric, failures, recalled, joined})
    EXPECT_GT(happened, count / 20);
}

}  // namespace
}  // namespace skein::test
