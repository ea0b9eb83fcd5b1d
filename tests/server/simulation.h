// A world around a desk: requests that arrive, give up, read slowly or not at all, in a time that
// only a seed decides. Everything behind the desk is real but small; nothing of it is a thread.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "server/desk.h"
#include "server/memory_failures.h"
#include "server/small_model.h"

namespace skein::test {

// An order, and what comes of it where it is alone.
struct Wish {
  server::Order order;
  struct Text {
    std::vector<int32_t> ids;
    std::string text;
  };
  std::vector<Text> texts;  // of its choices
  bool fails = false;       // its numbers are not finite at some point
};

class Wishes {
 public:
  explicit Wishes(size_t count) : model_(small_model()) {
    Random random(1);
    server::Runtime runtime(model_, tokenizer_);
    for (std::vector<int32_t>& stem : stems_) {
      stem.resize(kLongest);
      for (int32_t& id : stem) id = any_id(random);
    }
    for (size_t i = 0; i < count; ++i) all_.push_back(make(random, runtime));
  }
  const std::shared_ptr<Model>& model() const { return model_; }
  const text::TokenizerPtr& tokenizer() const { return tokenizer_; }
  const Wish& any(Random& random) const { return all_[random.below(all_.size())]; }

 private:
  static constexpr size_t kLongest = 150;  // tokens of a prompt

  static int32_t any_id(Random& random) { return 1 + static_cast<int32_t>(random.below(255)); }
  static size_t spread(Random& random, double most) {
    return static_cast<size_t>(std::pow(most, static_cast<double>(random.below(1001)) / 1000));
  }
  Wish make(Random& random, server::Runtime& runtime) const {
    Wish out;
    server::Order& order = out.order;
    order.prompt.resize(spread(random, kLongest));
    for (int32_t& id : order.prompt) id = any_id(random);
    // Many begin alike, and some are the same.
    if (random.below(3)) {
      order.prompt.resize(random.below(2) ? kLongest : order.prompt.size());
      const auto& stem = stems_[random.below(stems_.size())];
      const size_t common = random.below(3) ? random.below(order.prompt.size() + 1) : kLongest;
      std::copy_n(stem.begin(), std::min(common, order.prompt.size()), order.prompt.begin());
    }
    for (uint64_t marks = random.below(4); marks > 0; --marks)
      order.marks.push_back(random.below(order.prompt.size() + 1));
    if (random.below(3) == 0) order.certain_mark = random.below(order.prompt.size());
    order.answer_returns = random.below(4) > 0;
    order.shared = random.below(8) > 0;
    if (random.below(12) == 0) order.prompt[random.below(order.prompt.size())] = kPoison;
    order.choices = random.below(8) ? 1 : random.below(4);
    order.wanted.scores = random.below(10) == 0;
    order.sampling.seed = random.next();
    order.sampling.temperature = random.below(4) ? 1 : 0;
    order.options.max_tokens = static_cast<int64_t>(spread(random, 60));
    if (random.below(2)) order.options.stops.stop_strings = {"e", "abcd"};
    order.options.fingerprint = false;
    // Alone, without a job.
    Session session(model_);
    std::vector<float> logits(static_cast<size_t>(model_->vocab()));
    State state = model_->new_state();
    if (!model_->eval(state, order.prompt, Want::last, logits.data())) {
      out.fails = true;
      out.texts.resize(order.choices);
      return out;
    }
    for (size_t i = 0; i < order.choices; ++i) {
      session.restore({state, logits});
      Sampling sampling = order.sampling;
      sampling.seed = server::choice_seed(sampling.seed, i);
      auto generation =
          Generation::start(session, tokenizer_.get(),
                            Sampler::create(sampling, runtime.traits).value(), order.options)
              .value();
      Wish::Text& text = out.texts.emplace_back();
      Event event;
      do {
        if (!runtime.engine.next(generation, event)) out.fails = true;
        if (event.id >= 0) text.ids.push_back(event.id);
        text.text += event.text;
      } while (event.finish == Finish::running);
    }
    return out;
  }

  std::shared_ptr<Model> model_;
  const text::TokenizerPtr tokenizer_ = text::byte_tokenizer_257();
  std::array<std::vector<int32_t>, 4> stems_;
  std::vector<Wish> all_;
};

// A client, and what it has heard.
class Listener final : public server::Reply {
 public:
  std::vector<const Wish*> wishes;
  std::string owner;
  double came = 0;
  bool left = false;      // gone, without a word
  bool slow = false;      // reads now and then
  int64_t unread = 0;     // tokens
  bool unlucky = false;   // memory failed while it was there
  bool newcomer = false;  // of an owner who never asked before
  bool begun = false;     // some prompt of it was read
  int ends = 0, status = 0;
  bool accepted_ = false, wrong = false;
  std::vector<Wish::Text> heard;

  static constexpr int64_t kRoom = 4;

  void accepted() override { accepted_ = true; }
  bool gone() const override { return left; }
  bool full() const override { return slow && unread >= kRoom; }
  void read(const server::Order&, server::Findings) override {
    expect_open();
    begun = true;
  }
  void told(size_t choice, const Event& event, const Generation&) override {
    expect_open();
    // The last token of one who left is told, for what is kept of him.
    wrong = wrong || (full() && !left);
    if (event.id >= 0) heard[choice].ids.push_back(event.id);
    heard[choice].text += event.text;
    ++unread;
  }
  void failed(const server::ApiError& error) override {
    expect_open();
    ++ends;
    status = error.status;
  }
  void finished() override {
    expect_open();
    ++ends;
    status = 200;
  }

  // Whether what it heard is a beginning of what it was to hear, or all of it.
  bool heard_right() const {
    size_t at = 0;
    bool right = !wrong && ends <= 1;
    for (const Wish* wish : wishes)
      for (const Wish::Text& text : wish->texts) {
        const Wish::Text& mine = heard[at++];
        right = right && mine.ids.size() <= text.ids.size() &&
                std::equal(mine.ids.begin(), mine.ids.end(), text.ids.begin()) &&
                text.text.starts_with(mine.text);
        if (ends == 1 && status == 200)
          right = right && mine.ids == text.ids && mine.text == text.text && !wish->fails;
      }
    return right;
  }

 private:
  void expect_open() { wrong = wrong || ends > 0 || !accepted_; }
};

// What is told of a seed that went wrong.
struct Wrong {
  std::string what;
};

class World {
 public:
  World(const Wishes& wishes, uint64_t seed, int rounds)
      : wishes_(wishes),
        random_(seed),
        rounds_(rounds),
        options_(choose()),
        kept_bytes_(choose_kept()),
        runtime_(wishes.model(), wishes.tokenizer(), {.clock = [this] { return now_ += 1e-5; }},
                 kept_bytes_),
        before_(pool().usage().bytes),
        desk_(runtime_, "small", options_, [this] { return now_; }) {}

  // Nothing, or what is wrong.
  std::string run() {
    try {
      for (int i = 0; i < rounds_; ++i) {
        happen();
        round();
      }
      end();
    } catch (const Wrong& wrong) {
      const server::Schedule& schedule = desk_.schedule();
      return fmt::format(
          "{} (round {}, at {:.3f} s; {} of {} places, {} parked, {} of {} wait, {} of {} bytes, "
          "turns of {} s, waits of {} s, {} clients)",
          wrong.what, round_, now_, schedule.running(), options_.parallel, schedule.parked(),
          schedule.waiting(), options_.waiting, schedule.bytes(), options_.memory,
          options_.turn_seconds, options_.wait_seconds, here_.size());
    }
    return {};
  }
  const server::ScheduleCounts& counts() const { return desk_.schedule().counts(); }
  uint64_t refused() const { return refused_; }
  uint64_t numeric() const { return numeric_; }
  uint64_t failed_allocations() const { return failures_; }
  // Tokens that were not read again because their state was kept, and because somebody was reading
  // them just then.
  uint64_t recalled() const { return kept_bytes_ > kNothing ? runtime_.cached_tokens.load() : 0; }
  uint64_t joined() const { return kept_bytes_ == kNothing ? runtime_.cached_tokens.load() : 0; }

 private:
  ops::StatePool& pool() const { return *wishes_.model()->state_layout()->pool; }
  template <typename T>
  T one_of(std::initializer_list<T> of) {
    return of.begin()[random_.below(of.size())];
  }

  server::ScheduleOptions choose() {
    const server::Order one;
    const int64_t bytes = server::memory_of(*wishes_.model(), one);
    constexpr double kNever = std::numeric_limits<double>::infinity();
    fair_ = calm_ = random_.below(3) == 0;
    owners_ = 1 + random_.below(4);
    users_ = 1 + random_.below(3);
    return {.parallel = fair_ ? 1 : one_of<int64_t>({1, 2, 3, 5}),
            .waiting = one_of<int64_t>({0, 1, 4, 10, 30}),
            .memory = bytes * (fair_ ? 10'000 : one_of<int64_t>({10, 20, 40, 1000})),
            .turn_seconds = one_of({0.0, 0.02, 0.1, kNever}),
            .wait_seconds = one_of({0.3, 2.0, kNever})};
  }

  // States are kept as long as they are held.
  static constexpr int64_t kNothing = 1, kAll = 1 << 30;
  int64_t choose_kept() {
    return one_of<int64_t>({0, kNothing, kNothing, 5 * pool().bytes_each(), kAll});
  }

  void pass_time() { now_ += 0.001 * static_cast<double>(1 + random_.below(10)); }
  void happen() {
    pass_time();
    if (random_.below(100) < (fair_ ? 50 : 25)) arrive();
    for (auto& one : here_) {
      if (calm_) break;
      if (random_.below(300) == 0) leave(*one);
      if (one->slow && random_.below(12) == 0) drink(*one);
    }
  }
  void leave(Listener& one) {
    one.left = true;
    woken_ = true;
  }
  void drink(Listener& one) {
    one.unread = 0;
    woken_ = true;
  }

  void arrive() {
    auto reply = std::make_shared<Listener>();
    const size_t orders = random_.below(6) ? 1 : 1 + random_.below(3);
    std::vector<server::Order> all;
    for (size_t i = 0; i < orders; ++i) {
      const Wish& wish = wishes_.any(random_);
      reply->wishes.push_back(&wish);
      all.push_back(wish.order);
      all.back().first_choice = reply->heard.size();
      most_bytes_ = std::max(most_bytes_, server::memory_of(*wishes_.model(), wish.order));
      reply->heard.resize(reply->heard.size() + wish.order.choices);
    }
    // The first owner wants more than all others.
    reply->owner =
        fmt::format("owner {}", random_.below(fair_ ? 10 : 2) ? 0 : random_.below(owners_));
    const std::string user = users_ > 1 ? fmt::format("user {}", random_.below(users_)) : "";
    reply->slow = !calm_ && random_.below(5) == 0;
    reply->came = now_;
    // Of whom one step is enough to be noticed.
    reply->newcomer = seen_.insert(reply->owner).second &&
                      std::all_of(all.begin(), all.end(), [](const server::Order& order) {
                        return order.prompt.size() <= 64;
                      });
    auto request = desk_.prepare(std::move(all), reply);
    if (!request) throw Wrong{"a request that fits was refused: " + request.error().message};
    const int64_t waiting = desk_.schedule().waiting();
    try {
      const auto failing = maybe_fail(*reply);
      const auto entered = desk_.enter(**request, {reply->owner, user});
      if (!entered) {
        ++refused_;
        expect(entered.error().status == 429, "a refusal that is no 429");
        expect(entered.error().retry_seconds >= 1 && entered.error().retry_seconds <= 600,
               "a Retry-After that nobody can follow");
        expect(waiting > 0 || options_.waiting == 0 || desk_.schedule().running() > 0,
               "refused, and nobody was there");
        return;
      }
    } catch (const std::bad_alloc&) {
      ++failures_;
      expect(desk_.schedule().waiting() == waiting, "who could not come in is counted");
      return;
    }
    woken_ = true;
    here_.push_back(std::move(reply));
  }

  // For as long as it lives some allocation may fail.
  MemoryFailures maybe_fail() {
    if (calm_ || random_.below(25)) return MemoryFailures();
    for (auto& one : here_) one->unlucky = true;
    return MemoryFailures(static_cast<long>(random_.below(30)), one_of<long>({1, 1, 4}));
  }
  MemoryFailures maybe_fail(Listener& own) {
    own.unlucky = true;
    return maybe_fail();
  }

  void round() {
    ++round_;
    bool moved = false, failed = false;
    double planned_at = 0;
    bool told_too_soon = false;
    const uint64_t overdue = counts().overdue;
    {
      const auto failing = maybe_fail();
      desk_.advance();
      desk_.plan(std::exchange(woken_, false));
      planned_at = now_;
      told_too_soon = counts().overdue > overdue && !is_full();
      moved = desk_.step();
      failures_ += failing.happened();
      failed = failing.happened() > 0;
    }
    expect_bounds(planned_at, failed);
    expect(!told_too_soon || failed, "somebody is overdue although there is a place");
    check();
    if (moved) return;
    const double sleep = desk_.seconds_to_sleep();
    if (std::isfinite(sleep)) now_ += sleep;
  }

  void expect(bool holds, std::string_view what) const {
    if (!holds) throw Wrong{std::string(what)};
  }

  // Whether some order that may wait finds no place.
  bool is_full() const {
    const server::Schedule& schedule = desk_.schedule();
    const bool places = schedule.running() > 0 && schedule.running() + 3 > options_.parallel;
    return places || schedule.bytes() + most_bytes_ > options_.memory;
  }
  // Where there is memory for what is read, nobody reads what somebody else is reading or has read.
  // Who made room may come back to where another reads meanwhile, for a while; what that costs at
  // most is asserted elsewhere.
  void expect_joined() const {
    if (kept_bytes_ < kAll || failures_ > 0) return;
    if (std::isfinite(options_.turn_seconds) || desk_.schedule().parked() > 0) return;
    for (const auto& one : runtime_.readings)
      for (const auto& other : runtime_.readings) {
        if (one == other || !one->active() || !other->active()) continue;
        const auto a = one->ids(), b = other->ids();
        const auto common = static_cast<size_t>(
            std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
        expect(std::max(one->read_count(), other->read_count()) + 8 >= common, "two read the same");
      }
  }
  // Where a plan ran out of memory, one who was let in for a free place has yet to get it.
  void expect_bounds(double planned_at, bool failed) const {
    const server::Schedule& schedule = desk_.schedule();
    expect(schedule.bytes() <= options_.memory, "more memory than there is");
    // An order of more texts than there are places runs alone; none here has more than three.
    expect(schedule.running() <= std::max<int64_t>(options_.parallel, 3),
           "more texts at once than there are places");
    expect(schedule.waiting() <= options_.waiting + (failed ? 1 : 0), "more wait than may");
    expect(schedule.next_overdue() > planned_at, "somebody waits longer than he may");
  }
  // One who has had nothing comes next when a turn is over, after others who have had nothing; the
  // rest is for orders of several texts.
  void expect_turn(const Listener& one) const {
    const double turns = 2 * static_cast<double>(owners_) + 2;
    if (fair_ && one.newcomer && !one.begun && std::isfinite(options_.turn_seconds))
      expect(now_ - one.came <= turns * (options_.turn_seconds + 0.05),
             "a newcomer waits although it is his turn");
  }

  void check() {
    const server::Schedule& schedule = desk_.schedule();
    expect_joined();
    expect(runtime_.engine.active().value_or(1000) <= static_cast<size_t>(schedule.running()),
           "who has made room is computed all the same");
    // Two states each at most, one that is passed on, and those that are kept.
    const int64_t sequences = schedule.running() + schedule.parked();
    const int64_t kept = runtime_.states.usage().states;
    expect(pool().usage().bytes - before_ <= (3 * sequences + kept) * pool().bytes_each(),
           "states that nobody counts");
    std::erase_if(here_, [&](const std::shared_ptr<Listener>& one) {
      expect(one->heard_right(), "something else was told than alone");
      if (one->left) return true;
      if (one->ends == 0) {
        expect_turn(*one);
        return false;
      }
      expect_end(*one);
      return true;
    });
  }

  void expect_end(const Listener& one) {
    const bool fails = std::any_of(one.wishes.begin(), one.wishes.end(),
                                   [](const Wish* wish) { return wish->fails; });
    if (one.status == 200) return expect(!fails, "an answer of numbers that are none");
    if (fails && one.status != 503) {
      ++numeric_;
      return;
    }
    const bool late = now_ - one.came >= options_.wait_seconds;
    expect(one.status == 503 && (late || one.unlucky),
           fmt::format("a request ended with {} for no reason", one.status));
  }

  // Nobody comes any more, and everybody reads.
  void end() {
    calm_ = true;
    for (int i = 0; i < 20'000 && !here_.empty(); ++i) {
      pass_time();
      for (auto& one : here_)
        if (one->full()) drink(*one);
      round();
    }
    expect(here_.empty(), "some requests never end");
    woken_ = true;
    round();
    const server::Schedule& schedule = desk_.schedule();
    expect(schedule.orders() == 0 && schedule.waiting() == 0 && schedule.running() == 0 &&
               schedule.parked() == 0 && schedule.bytes() == 0,
           "figures that are not zero where nobody is");
    expect(runtime_.engine.active().value_or(1) == 0, "the engine has tasks of nobody");
    expect(runtime_.readings.empty(), "prompts that nobody reads");
    const int64_t kept = runtime_.states.usage().states;
    expect(pool().usage().bytes == before_ + kept * pool().bytes_each(), "states that nobody has");
  }

  const Wishes& wishes_;
  Random random_;
  const int rounds_;
  bool calm_ = false;  // no memory fails, all read, nobody leaves
  bool fair_ = false;  // calm from the beginning, and there is memory for all
  uint64_t owners_ = 1, users_ = 1;
  const server::ScheduleOptions options_;
  double now_ = 100;
  const int64_t kept_bytes_;
  server::Runtime runtime_;
  const int64_t before_;
  server::Desk desk_;
  std::vector<std::shared_ptr<Listener>> here_;
  std::set<std::string> seen_;  // owners
  bool woken_ = false;
  int round_ = 0;
  int64_t most_bytes_ = 0;  // of an order
  uint64_t refused_ = 0, numeric_ = 0, failures_ = 0;
};

}  // namespace skein::test
