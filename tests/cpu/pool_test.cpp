#include "base/pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <thread>

namespace skein {
namespace {

TEST(Pool, every_index_runs_once_in_each_job) {
  Pool pool(4);
  std::vector<std::atomic<int>> runs(static_cast<size_t>(pool.size()));
  for (int job = 0; job < 1000; ++job)
    pool.run([&](int index) { runs[static_cast<size_t>(index)].fetch_add(1); });
  for (const auto& count : runs) EXPECT_EQ(count.load(), 1000);
}

TEST(Pool, nobody_passes_a_barrier_before_everybody_came) {
  Pool pool(3);
  std::atomic<int> arrived{0};
  std::atomic<bool> early{false};
  pool.run([&](int) {
    for (int round = 1; round <= 500; ++round) {
      arrived.fetch_add(1);
      pool.barrier();
      if (arrived.load() < round * pool.size()) early.store(true);
      pool.barrier();
    }
  });
  EXPECT_FALSE(early.load());
}

TEST(Pool, starts_and_stops_a_thousand_times) {
  std::atomic<int> sum{0};
  for (int i = 0; i < 1000; ++i) {
    Pool pool(3);
    if (i % 2) pool.run([&](int) { sum.fetch_add(1); });
  }
  EXPECT_EQ(sum.load(), 1500);
}

TEST(Pool, wakes_again_after_it_slept) {
  Pool pool(2);
  std::atomic<int> sum{0};
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    pool.run([&](int) { sum.fetch_add(1); });
  }
  EXPECT_EQ(sum.load(), 6);
}

TEST(Share, parts_cover_everything_once_in_whole_groups) {
  for (const int64_t total : {0, 1, 7, 48, 1000}) {
    for (const int parts : {1, 2, 3, 7}) {
      for (const int64_t grain : {1, 4}) {
        int64_t at = 0;
        for (int part = 0; part < parts; ++part) {
          const Range range = share(total, part, parts, grain);
          EXPECT_EQ(range.begin, at);
          EXPECT_TRUE(range.begin % grain == 0 || range.begin == total);
          at = range.end;
        }
        EXPECT_EQ(at, total);
      }
    }
  }
}

TEST(ThreadCount, refuses_what_makes_no_sense) {
  for (const int wrong : {-1, 100000}) {
    const auto count = thread_count(wrong);
    ASSERT_FALSE(count);
    EXPECT_EQ(count.error().code, Code::argument);
  }
  EXPECT_EQ(thread_count(3).value(), 3);
  EXPECT_GE(thread_count(0).value(), 1);
}

}  // namespace
}  // namespace skein
