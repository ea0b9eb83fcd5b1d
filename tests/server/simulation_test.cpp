// The desk, its schedule, jobs and the engine in a simulated world: a seed decides who comes when,
// who leaves, who reads slowly, what memory there is and where it fails. After each round what has
// to hold is looked at.
#include "server/simulation.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

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

// A desk whose clock counts rounds.
class Rounds {
 public:
  Rounds(const server::ScheduleOptions& options, int64_t kept)
      : runtime_(small_model(), text::byte_tokenizer_257(), {}, kept),
        desk_(runtime_, "small", options, [this] { return now_; }) {}

  std::shared_ptr<Listener> ask(const std::string& owner, std::vector<int32_t> prompt,
                                int64_t max_tokens) {
    auto reply = std::make_shared<Listener>();
    reply->heard.resize(1);
    server::Order order;
    order.prompt = std::move(prompt);
    order.options.max_tokens = max_tokens;
    std::vector<server::Order> orders;
    orders.push_back(std::move(order));
    auto request = desk_.prepare(std::move(orders), reply);
    EXPECT_TRUE(request && desk_.enter(**request, {owner, ""}));
    return reply;
  }
  void round() {
    ++now_;
    desk_.advance();
    desk_.plan(true);
    desk_.step();
  }
  bool is_empty() const {
    return desk_.schedule().orders() == 0 && desk_.schedule().waiting() == 0;
  }
  const server::Runtime& runtime() const { return runtime_; }
  const server::Schedule& schedule() const { return desk_.schedule(); }

 private:
  double now_ = 0;
  server::Runtime runtime_;
  server::Desk desk_;
};

// Whoever reads for others makes room again and again, and so does who goes on in his place.
TEST(Turns, of_many_equal_prompts_cost_no_more_than_one_of_them) {
  for (const int64_t kept : {int64_t{1}, int64_t{1} << 30}) {
    Rounds desk({.parallel = 8, .memory = int64_t{1} << 40, .turn_seconds = 1}, kept);
    const std::vector<int32_t> prompt(2000, 'a');
    std::vector<std::shared_ptr<Listener>> equal;
    for (int i = 0; i < 8; ++i) equal.push_back(desk.ask("one", prompt, 4));
    for (int round = 0; round < 400; ++round) {
      desk.round();
      if (round % 3 == 2 && round < 24) desk.ask("other", {7, 8, 9}, 4);
    }
    ASSERT_TRUE(desk.is_empty());
    EXPECT_GE(desk.schedule().counts().turns, 4u);
    EXPECT_LE(desk.runtime().prompt_tokens.load(), prompt.size() + 8 * 3 + 8 * 8);
    EXPECT_EQ(desk.runtime().prompt_tokens.load() + desk.runtime().cached_tokens.load(),
              8 * prompt.size() + 8 * 3);
    for (const auto& one : equal) {
      EXPECT_EQ(one->status, 200);
      EXPECT_EQ(one->heard[0].ids, equal[0]->heard[0].ids);
    }
  }
}

// The round in which it has waited long enough is also the one in which there is a place.
TEST(Turns, who_is_due_to_wait_no_longer_gets_a_place_that_is_free) {
  const double never = std::numeric_limits<double>::infinity();
  // Whenever that round is.
  int served = 0;
  for (int wait = 1; wait < 40; ++wait) {
    Rounds desk({.parallel = 1,
                 .memory = int64_t{1} << 40,
                 .turn_seconds = never,
                 .wait_seconds = static_cast<double>(wait)},
                0);
    const auto first = desk.ask("one", {1, 2, 3}, 20);
    const auto second = desk.ask("two", {1, 2, 3}, 1);
    int freed = 0, told = 0;
    for (int round = 1; round < 60; ++round) {
      desk.round();
      if (!freed && first->ends > 0) freed = round;
      if (!told && second->ends > 0) told = round;
    }
    ASSERT_GT(freed, 0);
    if (second->status == 200) ++served;
    // The place is free in the round in which the first one's end is told.
    EXPECT_EQ(second->status, wait >= freed ? 200 : 503) << wait << " " << freed << " " << told;
  }
  EXPECT_GT(served, 0);
}

}  // namespace
}  // namespace skein::test
