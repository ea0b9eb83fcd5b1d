#include "base/turn.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

namespace skein {
namespace {

TEST(Turn, only_one_has_it) {
  Turn turn;
  int64_t count = 0;  // which only the turn protects
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 5000; ++n) {
        const auto held = turn.take("the count");
        ASSERT_TRUE(held);
        ++count;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 20'000);
}

// Whoever has it and wants it again at once leaves it to those who have waited for long, and of
// these to the first. How soon the system lets a thread run is not in our hands, so this asks only
// that nobody is passed over for as long as others want it, which a plain mutex does not give.
TEST(Turn, nobody_waits_while_others_have_it_again_and_again) {
  constexpr int64_t kRounds = 400;  // of all
  Turn turn;
  std::atomic<int64_t> all{0};
  std::atomic<int> ready{0};
  struct Seen {
    int64_t rounds = 0;
    int64_t passed_over = 0;  // rounds of others between coming and having it, at most
  } seen[3];
  std::vector<std::thread> threads;
  for (Seen& mine : seen)
    threads.emplace_back([&] {
      for (++ready; ready.load() < 3;) std::this_thread::yield();
      for (int64_t came = 0; (came = all.load()) < kRounds; ++mine.rounds) {
        const auto held = turn.take("the turn");
        ASSERT_TRUE(held);
        mine.passed_over = std::max(mine.passed_over, all.fetch_add(1) - came);
        const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(1);
        while (std::chrono::steady_clock::now() < until) {
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const Seen& mine : seen) {
    EXPECT_LT(mine.passed_over, kRounds / 2);
    EXPECT_GT(mine.rounds, 1);
  }
}

// The child has counts of threads that stayed in its parent: one holds the turn, one has waited for
// it for long.
TEST(Turn, a_forked_process_waits_for_nobody_who_is_not_there) {
  Turn turn;
  std::atomic<bool> held{false}, over{false};
  std::thread holder([&] {
    const auto mine = turn.take("the turn");
    held = true;
    while (!over.load()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  while (!held.load()) std::this_thread::yield();
  std::thread waiter([&] { ASSERT_TRUE(turn.take("the turn")); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    if (turn.take("the turn")) ::_exit(1);  // in use when this process was forked
    { const Turn::Held seized = turn.take_over(); }
    for (int i = 0; i < 3; ++i)
      if (!turn.take("the turn")) ::_exit(2);
    ::_exit(0);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  over = true;
  holder.join();
  waiter.join();
}

TEST(Turn, who_takes_it_again_lets_others_have_it_first) {
  Turn turn;
  std::atomic<bool> over{false};
  int rounds = 0;
  std::atomic<int> others{0};
  std::thread keeper([&] {
    auto held = turn.take("the turn");
    for (; !over.load(); ++rounds) {
      ASSERT_TRUE(held);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      held = turn.take_again(std::move(*held), "the turn");
    }
  });
  std::thread other([&] {
    for (; !over.load(); ++others) ASSERT_TRUE(turn.take("the turn"));
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  over = true;
  keeper.join();
  other.join();
  EXPECT_GT(10 * others.load(), rounds);
}

}  // namespace
}  // namespace skein
