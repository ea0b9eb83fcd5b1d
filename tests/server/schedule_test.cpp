// Who comes next, who makes room and who is not let in, without any model.
#include "server/schedule.h"

#include <gtest/gtest.h>

#include <deque>
#include <limits>
#include <map>

#include "base/error.h"

namespace skein::test {
namespace {

using server::Schedule;
using server::ScheduleOptions;
using server::Source;
using Stands = Schedule::Stands;

constexpr double kNever = std::numeric_limits<double>::infinity();

struct Order : Schedule::Ticket {
  std::string owner, user;
  int64_t left = 0;  // units until it ends
  int64_t got = 0;
  double began = -1;
};

// Rounds of 0.1 s in which everybody who runs gets two units.
class Hall {
 public:
  explicit Hall(const ScheduleOptions& options) : schedule(options) {}

  // Null: it was not let in.
  Order* ask(const std::string& owner, int64_t units, const std::string& user = "",
             int64_t sequences = 1, int64_t bytes = 1) {
    const Source source{owner, user};
    refusal = schedule.refuse(source, sequences, bytes, 1);
    if (refusal) return nullptr;
    Order& order = orders.emplace_back();
    order.owner = owner;
    order.user = user;
    order.left = units;
    order.sequences = sequences;
    order.bytes = bytes;
    order.tokens = 1;
    Schedule::Ticket* const ticket = &order;
    schedule.enter(source, {&ticket, 1}, now);
    return &order;
  }
  void round() {
    now += 0.1;
    std::vector<Schedule::Ticket*> leaving;
    leaving.reserve(orders.size());
    while (Schedule::Ticket* next = schedule.next(now, leaving))
      if (auto& order = static_cast<Order&>(*next); order.began < 0) order.began = now;
    int64_t units = 0;
    for (Order& order : orders) {
      if (order.stands() != Stands::running || order.stalled) continue;
      schedule.charge(order, 2);
      order.got += 2;
      units += 2;
      if ((order.left -= 2) <= 0) schedule.leave(order);
    }
    if (units > 0) schedule.worked(units, 0.1);
  }
  void rounds(int count) {
    for (int i = 0; i < count; ++i) round();
  }
  std::map<std::string, int64_t> got_by_owner() const {
    std::map<std::string, int64_t> out;
    for (const Order& order : orders) out[order.owner] += order.got;
    return out;
  }

  Schedule schedule;
  std::deque<Order> orders;
  std::optional<Schedule::Refusal> refusal;
  double now = 0;
};

TEST(Schedule, one_who_wants_much_does_not_shut_out_others) {
  Hall hall({.parallel = 4, .waiting = 64, .memory = 1000, .turn_seconds = 1});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(hall.ask("greedy", 1000));
  hall.rounds(30);
  Order* const other = hall.ask("other", 10);
  ASSERT_TRUE(other);
  const double asked = hall.now;
  hall.rounds(12);
  // Somebody's turn is over within a second.
  ASSERT_GE(other->began, 0);
  EXPECT_LE(other->began - asked, 1.2);
  hall.rounds(5);
  EXPECT_EQ(other->got, 10);
}

TEST(Schedule, owners_who_want_something_all_the_time_get_equal_shares) {
  Hall hall({.parallel = 3, .waiting = 64, .memory = 1000, .turn_seconds = 0.5});
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(hall.ask("many", 100'000));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(hall.ask("two", 100'000));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(hall.ask("three", 100'000));
  hall.rounds(3000);
  const auto got = hall.got_by_owner();
  for (const char* owner : {"many", "two", "three"})
    EXPECT_NEAR(static_cast<double>(got.at(owner)), 6000, 60) << owner;
}

TEST(Schedule, users_of_one_owner_share_what_he_gets) {
  Hall hall({.parallel = 2, .waiting = 64, .memory = 1000, .turn_seconds = 0.5});
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(hall.ask("house", 100'000, "ann"));
  ASSERT_TRUE(hall.ask("house", 100'000, "bob"));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(hall.ask("alone", 100'000));
  hall.rounds(3000);
  std::map<std::string, double> got;
  for (const Order& order : hall.orders)
    got[order.owner + order.user] += static_cast<double>(order.got);
  EXPECT_NEAR(got["alone"], 6000, 60);
  EXPECT_NEAR(got["houseann"], 3000, 60);
  EXPECT_NEAR(got["housebob"], 3000, 60);
}

TEST(Schedule, a_user_does_not_shut_out_others_of_his_owner) {
  Hall hall({.parallel = 2, .waiting = 64, .memory = 1000, .turn_seconds = 1});
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(hall.ask("house", 100'000, "ann"));
  hall.rounds(100);
  Order* const bob = hall.ask("house", 10, "bob");
  Order* const nobody = hall.ask("house", 10);
  ASSERT_TRUE(bob && nobody);
  const double asked = hall.now;
  hall.rounds(30);
  for (const Order* order : {bob, nobody}) {
    ASSERT_GE(order->began, 0);
    EXPECT_LE(order->began - asked, 2.3);
    EXPECT_EQ(order->got, 10);
  }
}

TEST(Schedule, what_nobody_reads_keeps_no_place_from_the_same_user) {
  Hall hall({.parallel = 2, .waiting = 64, .memory = 1000, .turn_seconds = kNever});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(hall.ask("one", 100'000));
  for (int i = 0; i < 12; ++i) {
    hall.round();
    for (Order& order : hall.orders)
      if (order.stands() == Stands::running) order.stalled = true;
  }
  Order* const read = hall.ask("one", 10);
  ASSERT_TRUE(read);
  hall.rounds(6);
  EXPECT_EQ(read->got, 10);
}

TEST(Schedule, what_somebody_had_while_nobody_waited_is_not_held_against_him) {
  Hall hall({.parallel = 1, .waiting = 64, .memory = 1000, .turn_seconds = 0.5});
  Order* const early = hall.ask("early", 100'000);
  hall.rounds(500);
  Order* const late = hall.ask("late", 100'000);
  const int64_t before = early->got;
  hall.rounds(1000);
  EXPECT_NEAR(static_cast<double>(early->got - before), 1000, 30);
  EXPECT_NEAR(static_cast<double>(late->got), 1000, 30);
}

// One who asks again and again has no more than one who has always something waiting.
TEST(Schedule, to_leave_and_come_again_gains_nothing) {
  Hall hall({.parallel = 1, .waiting = 64, .memory = 1000, .turn_seconds = 0.5});
  ASSERT_TRUE(hall.ask("stays", 100'000));
  Order* again = hall.ask("again", 10);
  for (int i = 0; i < 2000; ++i) {
    hall.round();
    if (again->stands() == Stands::outside) again = hall.ask("again", 10);
  }
  const auto got = hall.got_by_owner();
  EXPECT_LE(got.at("again"), 2000 + 60);
  EXPECT_GE(got.at("again"), 1000);
}

TEST(Schedule, nobody_makes_room_before_his_turn_is_over_or_for_nobody) {
  Hall hall({.parallel = 1, .waiting = 64, .memory = 1000, .turn_seconds = 2});
  Order* const first = hall.ask("a", 1000);
  hall.rounds(50);
  EXPECT_EQ(hall.schedule.counts().turns, 0u);
  EXPECT_EQ(first->got, 100);
  ASSERT_TRUE(hall.ask("b", 1000));
  hall.rounds(100);
  // Ten seconds of turns of two.
  EXPECT_GE(hall.schedule.counts().turns, 4u);
  EXPECT_LE(hall.schedule.counts().turns, 6u);

  Hall endless({.parallel = 1, .waiting = 64, .memory = 1000, .turn_seconds = kNever});
  ASSERT_TRUE(endless.ask("a", 200));
  Order* const waits = endless.ask("b", 10);
  endless.rounds(99);
  EXPECT_EQ(waits->got, 0);
  endless.rounds(10);
  EXPECT_EQ(waits->got, 10);
}

TEST(Schedule, what_nobody_reads_makes_room_at_once_and_comes_again_when_it_is_read) {
  Hall hall({.parallel = 1, .waiting = 64, .memory = 1000, .turn_seconds = 100});
  Order* const unread = hall.ask("a", 100);
  hall.round();
  unread->stalled = true;
  hall.rounds(10);
  EXPECT_EQ(unread->stands(), Stands::running);  // nobody else wants the place
  Order* const other = hall.ask("a", 10);
  hall.round();
  EXPECT_EQ(unread->stands(), Stands::parked);
  EXPECT_EQ(other->stands(), Stands::running);
  hall.rounds(10);
  EXPECT_EQ(other->stands(), Stands::outside);
  EXPECT_EQ(unread->stands(), Stands::parked);
  unread->stalled = false;
  hall.round();
  EXPECT_EQ(unread->stands(), Stands::running);
  EXPECT_EQ(hall.schedule.counts().readers, 1u);
}

TEST(Schedule, a_wide_order_gets_its_places_although_narrow_ones_keep_coming) {
  Hall hall({.parallel = 4, .waiting = 64, .memory = 1000, .turn_seconds = 0.5});
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(hall.ask("narrow", 40));
  hall.rounds(2);
  Order* const wide = hall.ask("wide", 20, "", 4);
  for (int i = 0; i < 60; ++i) {
    hall.ask("narrow", 40);
    hall.round();
  }
  EXPECT_EQ(wide->got, 20);
}

TEST(Schedule, memory_is_never_exceeded_and_what_has_begun_goes_on) {
  Hall hall({.parallel = 4, .waiting = 64, .memory = 10, .turn_seconds = 0.5});
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(hall.ask("a", 400, "", 1, 2));
  hall.rounds(2);
  // It has two of ten left, and wants five: it waits, and nobody comes before it.
  Order* const large = hall.ask("b", 20, "", 1, 5);
  Order* const small = hall.ask("c", 20, "", 1, 1);
  for (int i = 0; i < 600; ++i) {
    hall.round();
    ASSERT_LE(hall.schedule.bytes(), 10);
  }
  EXPECT_EQ(large->got, 20);
  EXPECT_EQ(small->got, 20);
  EXPECT_EQ(hall.got_by_owner().at("a"), 1600);
}

TEST(Schedule, one_owner_fills_half_of_the_queue_and_leaves_the_rest_to_others) {
  Hall hall({.parallel = 1, .waiting = 100, .memory = 1000});
  int let_in = 0;
  for (int i = 0; i < 300; ++i) let_in += hall.ask("greedy", 100) != nullptr;
  ASSERT_TRUE(hall.refusal);
  EXPECT_TRUE(hall.refusal->own);
  EXPECT_NEAR(let_in, 50, 2);
  int others = 0;
  for (int owner = 0; owner < 20; ++owner)
    others += hall.ask(fmt::format("owner {}", owner), 100) != nullptr;
  EXPECT_EQ(others, 20);
  EXPECT_EQ(hall.schedule.counts().share, 300u - static_cast<uint64_t>(let_in));
}

TEST(Schedule, a_queue_is_full_when_so_many_wait_and_none_has_to_wait_where_there_is_a_place) {
  Hall none({.parallel = 2, .waiting = 0, .memory = 1000});
  ASSERT_TRUE(none.ask("a", 10));
  none.round();
  ASSERT_TRUE(none.ask("b", 10));
  none.round();
  EXPECT_FALSE(none.ask("c", 10));
  none.rounds(5);
  EXPECT_TRUE(none.ask("c", 10));

  Hall full({.parallel = 1, .waiting = 10, .memory = 1000});
  int let_in = 0;
  for (int i = 0; i < 30; ++i) let_in += full.ask(fmt::format("owner {}", i), 10) != nullptr;
  EXPECT_EQ(let_in, 10);  // none has begun
  ASSERT_TRUE(full.refusal);
  EXPECT_FALSE(full.refusal->own);
  EXPECT_EQ(full.refusal->waiting, 10);
}

// Five wait, each as long as those before it: 100 units at 20 a second.
TEST(Schedule, when_to_come_again_goes_by_the_speed_so_far) {
  Hall hall({.parallel = 1, .waiting = 5, .memory = 1000, .turn_seconds = kNever});
  EXPECT_EQ(hall.schedule.retry_seconds(), 1);  // nothing is known
  ASSERT_TRUE(hall.ask("a", 100));
  hall.rounds(60);
  for (int i = 0; i < 6; ++i) hall.ask(fmt::format("owner {}", i), 100);
  hall.round();
  while (hall.ask("more", 100)) {
  }
  EXPECT_NEAR(static_cast<double>(hall.refusal->seconds), 5, 1);
}

TEST(Schedule, who_has_waited_too_long_is_told_and_those_who_began_are_not) {
  Hall hall(
      {.parallel = 1, .waiting = 10, .memory = 1000, .turn_seconds = kNever, .wait_seconds = 3});
  Order* const runs = hall.ask("a", 1000);
  hall.round();
  Order* const waits = hall.ask("b", 10);
  const double came = hall.now;
  EXPECT_DOUBLE_EQ(hall.schedule.next_overdue(), came + 3);
  hall.rounds(29);
  EXPECT_EQ(hall.schedule.overdue(hall.now), nullptr);
  hall.rounds(2);
  EXPECT_EQ(hall.schedule.overdue(hall.now), waits);
  EXPECT_EQ(hall.schedule.overdue(hall.now), nullptr);
  hall.schedule.leave(*waits);
  EXPECT_EQ(hall.schedule.counts().overdue, 1u);
  EXPECT_EQ(hall.schedule.counts().abandoned, 0u);
  EXPECT_EQ(hall.schedule.next_overdue(), kNever);
  hall.rounds(500);
  EXPECT_EQ(runs->got, 1000);
}

// A stranger's words are remembered no longer than they are of use.
TEST(Schedule, any_number_of_names_come_and_go) {
  Hall hall({.parallel = 1, .waiting = 64, .memory = 1000, .turn_seconds = 0.5});
  ASSERT_TRUE(hall.ask("house", 1'000'000, "steady"));
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE(hall.ask("house", 2, fmt::format("user {}", i)));
    hall.rounds(2);
  }
  EXPECT_GT(hall.orders.front().got, 2000);
}

}  // namespace
}  // namespace skein::test
