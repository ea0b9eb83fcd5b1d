#include "base/pool.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <new>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/control_group.h"
#include "base/platform.h"
#include "support/threads.h"

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

// Restricts this thread, and those it starts, to some of its processors while it lives.
class Affinity {
 public:
  explicit Affinity(int processors) {
    CPU_ZERO(&before_);
    EXPECT_EQ(sched_getaffinity(0, sizeof before_, &before_), 0);
    cpu_set_t now;
    CPU_ZERO(&now);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&now) < processors; ++cpu)
      if (CPU_ISSET(cpu, &before_)) CPU_SET(cpu, &now);
    EXPECT_EQ(sched_setaffinity(0, sizeof now, &now), 0);
  }
  ~Affinity() { sched_setaffinity(0, sizeof before_, &before_); }
  Affinity(const Affinity&) = delete;
  Affinity& operator=(const Affinity&) = delete;

 private:
  cpu_set_t before_;
};

double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Waiting threads must not burn the processor that the others need. Spinning through its moment
// each of the 16 would take 2 x 15 x 50 us a step, 1.5 s in all.
TEST(Pool, more_threads_than_processors_do_not_burn_them) {
  for (const int processors : {1, 2}) {
    const Affinity few(processors);
    Pool pool(16);
    std::atomic<int> sum{0};
    const double before = cpu_seconds();
    for (int step = 0; step < 1000; ++step) {
      pool.run([&](int) {
        sum.fetch_add(1);
        pool.barrier();
        sum.fetch_add(1);
      });
    }
    EXPECT_EQ(sum.load(), 2 * 1000 * pool.size());
    EXPECT_LT(cpu_seconds() - before, 1.5) << processors << " processors";
  }
}

// Work of pools of every size from several threads at once. What counts as busy is counted inside
// the work, and beside it as the system sees it.
TEST(Pool, pools_of_several_threads_take_turns) {
  const int processors = usable_processors();
  const std::vector<int> sizes = {1, 2, 2, processors, 1};
  const int most = std::max(processors, 2);
  std::atomic<int> busy{0}, peak{0};
  std::vector<std::atomic<int>> runs(sizes.size());
  std::atomic<bool> over{false};
  std::vector<std::thread> callers;
  for (size_t i = 0; i < sizes.size(); ++i)
    callers.emplace_back([&, i] {
      Pool pool(sizes[i]);
      while (!over.load()) {
        ASSERT_TRUE(pool.run([&](int) {
          const int now = busy.fetch_add(1) + 1;
          for (int seen = peak.load(); now > seen && !peak.compare_exchange_weak(seen, now);) {
          }
          const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(500);
          while (std::chrono::steady_clock::now() < until) {
          }
          pool.barrier();
          busy.fetch_sub(1);
        }));
        runs[i].fetch_add(1);
      }
    });
  int64_t seen = 0;
  for (int i = 0; i < 200; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    seen += test::runnable_threads();
  }
  over.store(true);
  for (std::thread& caller : callers) caller.join();
  EXPECT_LE(peak.load(), most);
  // Now and then one is seen on its way into or out of a turn.
  EXPECT_LE(static_cast<double>(seen) / 200, most + 0.75) << "seen running";
  // First come, first served: nobody was left standing while others went round.
  std::vector<int> counts;
  for (const auto& count : runs) counts.push_back(count.load());
  EXPECT_GT(3 * *std::min_element(counts.begin(), counts.end()),
            *std::max_element(counts.begin(), counts.end()))
      << testing::PrintToString(counts);
}

TEST(Pool, threads_end_with_the_pools_that_want_them_and_come_back) {
  const auto threads = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
  };
  const auto before = threads();
  for (int round = 0; round < 3; ++round) {
    Pool small(2);
    {
      Pool large(5);
      EXPECT_EQ(threads(), before + 4);
    }
    EXPECT_EQ(threads(), before + 1);  // as many as the largest one wants
    std::atomic<int> sum{0};
    ASSERT_TRUE(small.run([&](int) { sum.fetch_add(1); }));
    EXPECT_EQ(sum.load(), 2);
  }
  EXPECT_EQ(threads(), before);
}

// Those that a job does not need are not even woken.
TEST(Pool, a_large_pool_that_idles_costs_a_small_one_nothing) {
  Pool small(2);
  const auto seconds = [&] {
    const double before = cpu_seconds();
    for (int i = 0; i < 2000; ++i) EXPECT_TRUE(small.run([](int) {}));
    return cpu_seconds() - before;
  };
  seconds();
  // Once is enough: what other processes cost comes on top of some of them, so both are measured
  // side by side.
  double alone = 0, beside = 1;
  for (int i = 0; i < 10 && beside >= 3 * alone + 0.05; ++i) {
    alone = seconds();
    const Pool large(32);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    beside = seconds();
  }
  EXPECT_LT(beside, 3 * alone + 0.05);
}

TEST(Pool, an_exception_waits_for_the_others) {
  Pool pool(3);
  std::atomic<int> done{0};
  EXPECT_THROW(static_cast<void>(pool.run([&](int index) {
                 if (index == 0) throw std::bad_alloc();
                 std::this_thread::sleep_for(std::chrono::milliseconds(20));
                 done.fetch_add(1);
               })),
               std::bad_alloc);
  EXPECT_EQ(done.load(), 2);
  EXPECT_TRUE(pool.run([&](int) { done.fetch_add(1); }));
  EXPECT_EQ(done.load(), 5);
}

TEST(PoolDeathTest, work_inside_other_work_is_a_mistake) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto nest = [] {
    Pool outer(2);
    Pool inner(2);
    static_cast<void>(outer.run([&](int) { static_cast<void>(inner.run([](int) {})); }));
  };
  EXPECT_DEATH(nest(), "inside_run");
}

TEST(Pool, a_thread_that_slept_through_a_barrier_is_woken) {
  Pool pool(3);
  std::atomic<int> sum{0};
  for (int late = 0; late < pool.size(); ++late) {
    pool.run([&](int index) {
      if (index == late) std::this_thread::sleep_for(std::chrono::milliseconds(30));
      pool.barrier();
      sum.fetch_add(1);
    });
  }
  EXPECT_EQ(sum.load(), pool.size() * pool.size());
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

TEST(ThreadCount, stays_within_the_affinity_mask) {
  if (std::getenv("SKEIN_THREADS")) GTEST_SKIP() << "SKIPPED: SKEIN_THREADS decides";
  const Affinity one(1);
  EXPECT_EQ(thread_count(0).value(), 1);
  EXPECT_EQ(thread_count(2).value(), 2);  // who asks for more gets it
}

TEST(ThreadCount, a_control_group_grants_whole_processors_rounded_up) {
  EXPECT_EQ(processors_of_quota("max", "100000"), 0);
  EXPECT_EQ(processors_of_quota("-1", "100000"), 0);
  EXPECT_EQ(processors_of_quota("100000", "100000"), 1);
  EXPECT_EQ(processors_of_quota("150000", "100000"), 2);
  EXPECT_EQ(processors_of_quota("1000", "100000"), 1);
  const std::pair<const char*, const char*> nonsense[] = {
      {"", ""}, {"5", ""}, {"5", "0"}, {"5", "-1"}, {"x", "3"}, {"99999999999999999999", "1"}};
  for (const auto& [quota, period] : nonsense)
    EXPECT_EQ(processors_of_quota(quota, period), 0) << quota << ' ' << period;
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

TEST(Pool, the_error_of_shares_is_the_first_items_and_memory_that_runs_out_is_one) {
  for (const int threads : {1, 2, 5}) {
    Pool pool(threads);
    std::vector<int> seen(103);
    EXPECT_TRUE(run_shares(pool, 103, [&](Range range) -> Status {
      for (int64_t i = range.begin; i < range.end; ++i) ++seen[static_cast<size_t>(i)];
      return {};
    }));
    EXPECT_EQ(seen, std::vector<int>(103, 1));
    const Status failed = run_shares(pool, 103, [](Range range) -> Status {
      for (int64_t i = range.begin; i < range.end; ++i)
        if (i % 10 == 9) return fail(Code::corrupt, "item {}", i);
      return {};
    });
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().message, "item 9");
    const Status full = run_shares(pool, 3, [](Range) -> Status { throw std::bad_alloc(); });
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, Code::memory);
    EXPECT_TRUE(run_shares(pool, 0, [](Range) -> Status { return fail(Code::io, "called"); }));
  }
}

}  // namespace
}  // namespace skein
