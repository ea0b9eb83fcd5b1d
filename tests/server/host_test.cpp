// What a host does when memory runs out in the middle: one request fails, once, and the counts are
// right afterwards.
#include "server/host.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <new>

#include "base/platform.h"
#include "server/test_server.h"
#include "support/sanitizers.h"

namespace {

// How many more allocations of this thread succeed, and how many fail then.
thread_local long allowed = std::numeric_limits<long>::max();
thread_local long failing = 0;

bool may_allocate() {
  if (failing == 0 || allowed-- > 0) return true;
  --failing;
  return false;
}

}  // namespace

// Not inline, or the compiler sees free() where it expects delete.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (!may_allocate()) throw std::bad_alloc();
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace skein::test {
namespace {

using server::ApiError;
using server::Host;
using server::HostOptions;
using server::Order;

// Fails as it is told to, and keeps what it heard.
class Listening : public server::Reply {
 public:
  std::atomic<int> finished_calls{0}, finished_well{0}, failures{0}, status{0};
  int finish_throws = 0, fail_throws = 0, told_throws = 0;
  long allowed_after_first = -1, failing_then = 0;

  int ends() const { return finished_well + failures; }

  void accepted() override {}
  bool gone() const override { return false; }
  bool full() const override { return false; }
  void read(const Order&, server::Findings) override { allocate(); }
  void told(size_t, const Event&, const Generation&) override {
    if (told_throws-- > 0) throw std::bad_alloc();
    if (allowed_after_first < 0) return;
    allowed = std::exchange(allowed_after_first, -1);
    failing = failing_then;
  }
  void failed(const ApiError& error) override {
    if (fail_throws-- > 0) throw std::bad_alloc();
    allocate();
    status = error.status;
    ++failures;
  }
  void finished() override {
    ++finished_calls;
    if (finish_throws-- > 0) throw std::bad_alloc();
    allocate();
    ++finished_well;
  }

 private:
  static void allocate() { std::make_unique<std::string>(100, 'x')->push_back('y'); }
};

class HostMemory : public testing::Test {
 protected:
  HostMemory() : host_("bundled", bundled().model, bundled().tokenizer, HostOptions{}) {}

  std::shared_ptr<Listening> ask(const std::shared_ptr<Listening>& reply, size_t orders = 1,
                                 int64_t tokens = 4) {
    std::vector<Order> all(orders);
    for (Order& order : all) {
      order.prompt = {1, 2, 3};
      order.options.max_tokens = tokens;
    }
    EXPECT_TRUE(host_.submit(std::move(all), reply));
    return reply;
  }
  std::shared_ptr<Listening> ask() { return ask(std::make_shared<Listening>()); }

  template <typename F>
  static bool wait_until(F ready) {
    for (int i = 0; i < 4000 && !ready(); ++i) ::usleep(1'000);
    return ready();
  }
  void expect_nothing_is_left() {
    EXPECT_TRUE(wait_until([&] { return host_.load().active == 0; }));
    const server::Load load = host_.load();
    EXPECT_EQ(load.sequences, 0);
    EXPECT_EQ(load.bytes, 0);
    EXPECT_EQ(load.waiting, 0);
  }

  Host host_;
};

TEST_F(HostMemory, an_answer_that_cannot_be_finished_fails_and_no_other) {
  const auto unlucky = std::make_shared<Listening>();
  unlucky->finish_throws = 1;
  const auto other = ask();
  ask(unlucky, 3);
  const auto last = ask();
  for (const auto& reply : {unlucky, other, last})
    ASSERT_TRUE(wait_until([&] { return reply->ends() == 1; }));
  EXPECT_EQ(unlucky->status, 503);
  EXPECT_EQ(unlucky->finished_calls, 1);
  EXPECT_EQ(other->finished_well, 1);
  EXPECT_EQ(last->finished_well, 1);
  expect_nothing_is_left();
}

TEST_F(HostMemory, who_fails_is_who_ran_out_of_it) {
  const auto unlucky = std::make_shared<Listening>();
  unlucky->told_throws = 1;
  ask(unlucky);
  const auto last = ask();
  ASSERT_TRUE(wait_until([&] { return unlucky->ends() == 1 && last->ends() == 1; }));
  EXPECT_EQ(unlucky->status, 503);
  EXPECT_EQ(last->finished_well, 1);
  expect_nothing_is_left();
}

TEST_F(HostMemory, what_there_is_no_memory_to_say_is_said_later) {
  const auto unlucky = std::make_shared<Listening>();
  unlucky->finish_throws = 1;
  unlucky->fail_throws = 3;
  ask(unlucky);
  ASSERT_TRUE(wait_until([&] { return unlucky->ends() == 1; }));
  EXPECT_EQ(unlucky->status, 503);
  const auto next = ask();
  ASSERT_TRUE(wait_until([&] { return next->ends() == 1; }));
  EXPECT_EQ(next->finished_well, 1);
  expect_nothing_is_left();
}

// Each allocation of the host's thread behind the first token of the first of two answers, alone
// and with those that follow it.
TEST_F(HostMemory, running_out_of_it_anywhere_ends_each_answer_once) {
  if (kThreadSanitizer)
    GTEST_SKIP() << "SKIPPED: under ThreadSanitizer a library's allocations cannot be refused";
  int failures = 0;
  for (const long in_a_row : {1, 5}) {
    for (long n = 0; n < 100; n += 1 + n / 16) {
      SCOPED_TRACE(fmt::format("{} from {} on", in_a_row, n));
      const auto first = std::make_shared<Listening>();
      first->allowed_after_first = n;
      first->failing_then = in_a_row;
      ask(first, 2);
      const auto second = ask();
      ASSERT_TRUE(wait_until([&] { return first->ends() == 1 && second->ends() == 1; }));
      expect_nothing_is_left();
      EXPECT_EQ(first->ends(), 1);
      EXPECT_EQ(second->ends(), 1);
      if (in_a_row == 1) {
        EXPECT_LE(first->failures + second->failures, 1);
      }
      failures += first->failures + second->failures;
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(failures, 0);
}

// Each of them asks what is free.
TEST(HostMemoryOfModels, several_promise_no_more_together_than_one_alone) {
  const auto all = static_cast<int64_t>(memory_total());
  for (const int64_t models : {1, 2, 40}) {
    const HostOptions options{.models = models};
    EXPECT_LE(models * server::kept_bytes(options), all / 4);
    if (memory_available() > 0) {
      EXPECT_LE(models * server::sequence_bytes(options), all / 2);
    }
  }
  const HostOptions told{.memory = 7, .kept = 5, .models = 3};
  EXPECT_EQ(server::kept_bytes(told), 5);
  EXPECT_EQ(server::sequence_bytes(told), 7);
}

}  // namespace
}  // namespace skein::test
