// Forms of answers are made on threads of their own, once each, and those that take long hold up
// nobody else.
#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "server/answers.h"
#include "server/form_desk.h"
#include "server/test_server.h"

namespace skein::server {
namespace {

using test::ask;
using test::TestServer;

// Each text in one test only: what was made stays.
constrain::Wanted regex(const std::string& text) {
  constrain::Wanted out;
  out.language = constrain::Language::regex;
  out.text = text;
  return out;
}

std::shared_ptr<const constrain::Words> words() {
  static const auto made = std::make_shared<const constrain::Words>(test::bundled().tokenizer);
  return made;
}

// Makes nothing of what contains "slow" before it is opened.
class Door {
 public:
  FormDeskOptions options(size_t threads = 4, size_t waiting = 32, size_t of_one = 16) {
    return {.threads = threads,
            .waiting = waiting,
            .of_one = of_one,
            .make = [this](const constrain::Wanted& wanted,
                           const std::shared_ptr<const constrain::Words>& with) {
              if (wanted.text.find("slow") != std::string::npos) stand();
              return constrain::made_for(wanted, with);
            }};
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  // Until so many stand before it.
  void wait_for(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stood_ >= count; });
  }
  size_t stood() {
    const std::lock_guard lock(mutex_);
    return stood_;
  }

 private:
  void stand() {
    std::unique_lock lock(mutex_);
    ++stood_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  size_t stood_ = 0;
};

// Somebody who waits.
struct Waiting {
  std::promise<void> told;
  std::future<void> later = told.get_future();
  bool is_gone = false;

  FormWaiter waiter(std::string owner = "one") {
    return {std::move(owner), [this] { told.set_value(); }, [this] { return is_gone; }};
  }
};

TEST(FormDesk, a_form_that_many_ask_for_is_made_once) {
  Door door;
  FormDesk desk(door.options());
  std::vector<Waiting> all(5);
  std::vector<WantedFormPtr> forms;
  for (Waiting& each : all) {
    forms.push_back(desk.form(regex("slow once"), words()));
    ASSERT_TRUE(desk.wait_for(forms.back(), each.waiter()));
  }
  door.open();
  for (Waiting& each : all) each.later.wait();
  for (const WantedFormPtr& form : forms) {
    ASSERT_TRUE(form->made() && *form->made());
    EXPECT_EQ((*form->made())->constraint, (*forms[0]->made())->constraint);
  }
  EXPECT_EQ(door.stood(), 1u);
  // And it is there for those who come later.
  forms.clear();
  EXPECT_TRUE(desk.form(regex("slow once"), words())->made());
}

TEST(FormDesk, a_refusal_is_found_by_those_who_waited) {
  FormDesk desk;
  Waiting one;
  const WantedFormPtr form = desk.form(regex("("), words());
  ASSERT_TRUE(desk.wait_for(form, one.waiter()));
  one.later.wait();
  ASSERT_TRUE(desk.form(regex("("), words())->made());
  EXPECT_FALSE(*form->made());
}

TEST(FormDesk, of_one_owner_half_of_the_threads_make_forms) {
  Door door;
  FormDesk desk(door.options(2));
  Waiting first, second, other;
  const auto slow = desk.form(regex("slow a"), words()), next = desk.form(regex("slow b"), words()),
             quick = desk.form(regex("quick"), words());
  ASSERT_TRUE(desk.wait_for(slow, first.waiter()));
  ASSERT_TRUE(desk.wait_for(next, second.waiter()));
  door.wait_for(1);
  ASSERT_TRUE(desk.wait_for(quick, other.waiter("another")));
  other.later.wait();
  EXPECT_TRUE(quick->made());
  EXPECT_FALSE(next->made());
  EXPECT_EQ(door.stood(), 1u);
  door.open();
  first.later.wait();
  second.later.wait();
}

TEST(FormDesk, too_many_that_wait_are_turned_away_and_told_when_to_come_again) {
  Door door;
  FormDesk desk(door.options(2, 3, 2));
  std::vector<Waiting> all(6);
  std::vector<WantedFormPtr> forms;
  for (int n = 0; n < 6; ++n)
    forms.push_back(desk.form(regex("slow " + std::to_string(n)), words()));
  ASSERT_TRUE(desk.wait_for(forms[0], all[0].waiter()));
  door.wait_for(1);
  ASSERT_TRUE(desk.wait_for(forms[1], all[1].waiter()));
  const auto of_one = desk.wait_for(forms[2], all[2].waiter());
  ASSERT_FALSE(of_one);
  EXPECT_EQ(of_one.error().status, 429);
  EXPECT_GT(of_one.error().retry_seconds, 0);
  ASSERT_TRUE(desk.wait_for(forms[2], all[2].waiter("two")));
  door.wait_for(2);
  ASSERT_TRUE(desk.wait_for(forms[3], all[3].waiter("two")));
  ASSERT_TRUE(desk.wait_for(forms[4], all[4].waiter("three")));
  const auto of_all = desk.wait_for(forms[5], all[5].waiter("four"));
  ASSERT_FALSE(of_all);
  EXPECT_EQ(of_all.error().status, 429);
  door.open();
  for (int n = 0; n < 5; ++n) all[static_cast<size_t>(n)].later.wait();
}

TEST(FormDesk, what_nobody_waits_for_any_more_is_not_made) {
  Door door;
  FormDesk desk(door.options(1));
  Waiting first, gone, last;
  const auto slow = desk.form(regex("slow"), words()), left = desk.form(regex("left"), words()),
             behind = desk.form(regex("behind"), words());
  ASSERT_TRUE(desk.wait_for(slow, first.waiter()));
  door.wait_for(1);
  gone.is_gone = true;
  ASSERT_TRUE(desk.wait_for(left, gone.waiter()));
  ASSERT_TRUE(desk.wait_for(behind, last.waiter()));
  door.open();
  last.later.wait();
  EXPECT_TRUE(behind->made());
  EXPECT_FALSE(left->made());
}

TEST(FormDesk, who_waits_when_it_closes_is_told) {
  Door door;
  FormDesk desk(door.options(1));
  Waiting first, second;
  const auto slow = desk.form(regex("slow to close"), words()),
             next = desk.form(regex("next to close"), words());
  ASSERT_TRUE(desk.wait_for(slow, first.waiter()));
  door.wait_for(1);
  ASSERT_TRUE(desk.wait_for(next, second.waiter()));
  desk.close();
  second.later.wait();
  EXPECT_FALSE(next->made());
  Waiting late;
  EXPECT_EQ(desk.wait_for(next, late.waiter()).error().status, 503);
  door.open();
  first.later.wait();
}

std::string asking_for(const std::string& text) {
  return R"({"prompt": "x", "max_tokens": 2, "guided_regex": ")" + text + R"("})";
}

TEST(FormDesk, requests_are_answered_while_forms_of_others_are_made) {
  Door door;
  TestServer server({}, {.forms = door.options()});
  std::vector<std::thread> threads;
  std::vector<int> statuses(8);
  for (size_t n = 0; n < statuses.size(); ++n)
    threads.emplace_back([&, n] {
      statuses[n] = ask(server.port(), "POST", "/v1/completions",
                        asking_for("slow answer " + std::to_string(n % 4)))
                        .status;
    });
  door.wait_for(2);
  // More wait than there are workers, and none of them is taken up.
  EXPECT_EQ(ask(server.port(), "POST", "/tokenize", R"({"prompt": "x"})").status, 200);
  EXPECT_EQ(
      ask(server.port(), "POST", "/v1/completions", R"({"prompt": "x", "max_tokens": 2})").status,
      200);
  door.open();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(statuses, std::vector<int>(statuses.size(), 200));
  EXPECT_EQ(door.stood(), 4u);
}

TEST(FormDesk, a_server_that_ends_says_so_to_those_who_wait_for_forms) {
  Door door;
  auto server =
      std::make_unique<TestServer>(ServerOptions{}, HostOptions{.forms = door.options(1)});
  std::vector<std::future<int>> answers;
  const auto begin = [&](const std::string& text) {
    answers.push_back(std::async(std::launch::async, [port = server->port(), text] {
      return ask(port, "POST", "/v1/completions", asking_for(text)).status;
    }));
  };
  begin("slow end");
  door.wait_for(1);
  begin("next end");
  server->ask_to_stop();
  door.open();
  for (auto& answer : answers) {
    const int status = answer.get();
    EXPECT_TRUE(status == 200 || status == 503 || status == 0) << status;
  }
  server.reset();
}

}  // namespace
}  // namespace skein::server
