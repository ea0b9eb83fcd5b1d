// Many generations in one engine: each comes to what it comes to alone.
#include "run/engine.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <thread>

#include "base/platform.h"
#include "run/draft.h"
#include "support/engine.h"
#include "support/make_model.h"
#include "support/models.h"
#include "support/random.h"
#include "support/sanitizers.h"
#include "support/states.h"
#include "support/thorough.h"
#include "support/threads.h"

namespace skein {
namespace {

using Ids = std::vector<int32_t>;

std::shared_ptr<Model> small_model(int threads, int layers = 1, int chunk = 0) {
  const test::ModelSizes sizes = {
      .layers = layers, .width = 64, .heads = 2, .inner = 96, .vocab = 257, .design = "rwkv7"};
  const auto path =
      std::filesystem::temp_directory_path() / fmt::format("skein_engine_{}.st", getpid());
  const auto bytes = test::as_safetensors(test::random_model(sizes), hints_of(sizes));
  const std::span<const std::byte> parts[] = {bytes};
  EXPECT_TRUE(write_file(path, parts));
  auto model = test::open_model(path, {.threads = threads, .chunk = chunk});
  std::filesystem::remove(path);
  return model;
}

// A wish and everything that decides what comes of it.
struct Wish {
  Ids prompt;
  Sampling sampling;
  GenerateOptions options;
  bool drafts = false;
  uint64_t seed = 0;
};

// One that is under way, with all that it needs.
struct Speaker {
  const Wish* wish = nullptr;
  Session session;
  std::unique_ptr<Drafter> drafter;
  std::shared_ptr<Generation> generation;
  Ids ids;
  std::string text;
  Finish finish = Finish::running;
  size_t events = 0;       // before the one that ended it
  bool cancelled = false;  // by us
  bool paused = false;

  explicit Speaker(const std::shared_ptr<Model>& model) : session(model) {}

  // True: an event was there.
  bool hear() {
    Event event;
    if (!generation->take(event)) return false;
    text += event.text;
    if (event.id >= 0) ids.push_back(event.id);
    finish = event.finish;
    if (finish == Finish::running) ++events;
    return true;
  }
};

class Crowd {
 public:
  explicit Crowd(std::shared_ptr<Model> model)
      : model_(std::move(model)),
        tokenizer_(text::byte_tokenizer_257()),
        traits_(token_traits(model_->vocab(),
                             [this](int32_t id) { return tokenizer_->bytes_of(id); })) {}

  Wish wish(test::Random& random, size_t longest_prompt, int64_t most_tokens) const {
    Wish out;
    // As many short ones as long ones, by orders of magnitude.
    const double size = std::exp(std::log(static_cast<double>(longest_prompt)) *
                                 static_cast<double>(random.below(1001)) / 1000);
    out.prompt.resize(std::max<size_t>(1, static_cast<size_t>(size)));
    for (int32_t& id : out.prompt) id = static_cast<int32_t>(random.below(256));
    out.seed = random.below(1u << 30);
    out.sampling.top_p = random.below(2) ? 0.9 : 0.4;
    out.sampling.temperature = random.below(4) ? 1.2 : 0;
    out.sampling.seed = out.seed;
    if (random.below(3)) out.sampling.banned = {0};
    out.options.max_tokens = 1 + static_cast<int64_t>(random.below(most_tokens));
    out.options.logprobs = random.below(5) == 0;
    if (random.below(2)) out.options.stops.stop_strings = {"abcd", "qqq"};
    out.drafts = random.below(3) == 0;
    out.options.draft = 1 + static_cast<int64_t>(random.below(8));
    out.options.draft_cost = 0.05;
    return out;
  }

  std::unique_ptr<Speaker> start(const Wish& wish) const {
    auto out = std::make_unique<Speaker>(model_);
    out->wish = &wish;
    GenerateOptions options = wish.options;
    if (wish.drafts) {
      out->drafter = std::make_unique<PromptLookup>();
      for (const int32_t id : wish.prompt) out->drafter->push(id);
      options.drafter = out->drafter.get();
    }
    auto sampler = Sampler::create(wish.sampling, traits_);
    EXPECT_TRUE(sampler);
    auto generation = Generation::start(out->session, wish.prompt, tokenizer_.get(),
                                        std::move(*sampler), options);
    EXPECT_TRUE(generation);
    out->generation = *generation;
    return out;
  }

  // The same, alone, as far as the other one came.
  void expect_as_alone(const Speaker& other) const {
    Engine engine(model_);
    const auto alone = start(*other.wish);
    if (other.finish == Finish::interrupted && other.events == 0) {  // before it said anything
      EXPECT_TRUE(other.ids.empty());
      ASSERT_TRUE(test::feed(alone->session,
                             std::span(other.wish->prompt).first(other.generation->prompt_read())));
    } else {
      Event event;
      while (alone->finish == Finish::running) {
        if (other.finish == Finish::interrupted && alone->events == other.events)
          alone->generation->interrupt();
        const Status status = engine.next(alone->generation, event);
        ASSERT_TRUE(status) << status.error().message;
        alone->text += event.text;
        if (event.id >= 0) alone->ids.push_back(event.id);
        alone->finish = event.finish;
        if (event.finish == Finish::running) ++alone->events;
      }
      EXPECT_EQ(alone->finish, other.finish);
      EXPECT_EQ(alone->generation->fingerprint(), other.generation->fingerprint());
      EXPECT_EQ(alone->generation->read_count(), other.generation->read_count());
    }
    EXPECT_EQ(alone->ids, other.ids);
    EXPECT_EQ(alone->text, other.text);
    EXPECT_TRUE(alone->session.state() == other.session.state());
    EXPECT_EQ(alone->session.state().tokens_hash(), other.session.state().tokens_hash());
  }

  const std::shared_ptr<Model>& model() const { return model_; }

 private:
  std::shared_ptr<Model> model_;
  text::TokenizerPtr tokenizer_;
  TokenTraits traits_;
};

// Started, paused, cancelled and drained in any order, for as long as the clock says they have: a
// hundred over ten thousand steps where there is time.
TEST(Engine, each_of_a_crowd_says_what_it_says_alone) {
  const int kSteps = test::kAddressSanitizer ? 2'000 : test::thorough() ? 10'000 : 4'000;
  const int kWishes = test::thorough() ? 100 : 40;
  const Crowd crowd(small_model(2));
  ops::StatePool& pool = *crowd.model()->state_layout()->pool;
  const auto before = pool.usage();
  test::Random random(7);
  std::vector<Wish> wishes;
  for (int i = 0; i < kWishes; ++i) wishes.push_back(crowd.wish(random, 4000, 4000));
  double time = 0;
  // A machine that is at times a hundred times slower, for no reason that anybody sees.
  Engine engine(crowd.model(), {.clock = [&] {
                  return time += std::pow(10.0, -5 + static_cast<double>(random.below(200)) / 100);
                }});
  std::vector<std::unique_ptr<Speaker>> active, over;
  size_t next = 0, most = 0;
  int64_t peak = 0;
  for (int step = 0; step < kSteps; ++step) {
    const auto due = std::min(wishes.size(), 1 + static_cast<size_t>(step) * wishes.size() * 3 / 2 /
                                                     static_cast<size_t>(kSteps));
    for (; next < due; ++next) {
      active.push_back(crowd.start(wishes[next]));
      ASSERT_TRUE(engine.submit(active.back()->generation));
    }
    ASSERT_TRUE(engine.step());
    most = std::max(most, active.size());
    peak = std::max(peak, pool.usage().bytes);
    for (auto& speaker : active) {
      if (random.below(100) == 0) speaker->paused = !speaker->paused;
      if (random.below(20'000) == 0) {
        speaker->generation->cancel();
        speaker->cancelled = true;
      }
      if (!speaker->paused) speaker->hear();
    }
    for (auto at = active.begin(); at != active.end();) {
      if ((*at)->finish == Finish::running) {
        ++at;
        continue;
      }
      over.push_back(std::move(*at));
      at = active.erase(at);
    }
  }
  for (auto& speaker : active) speaker->paused = false;
  while (!active.empty()) {
    ASSERT_TRUE(engine.step());
    for (auto& speaker : active) speaker->hear();
    std::erase_if(active, [&](std::unique_ptr<Speaker>& speaker) {
      if (speaker->finish == Finish::running) return false;
      over.push_back(std::move(speaker));
      return true;
    });
  }
  ASSERT_TRUE(engine.step());
  EXPECT_EQ(*engine.active(), 0u);
  ASSERT_EQ(over.size(), wishes.size());
  EXPECT_GE(most, 10u);
  // What MemoryEstimate::peak() counts: a state for each and one to go back to, and for all of them
  // the one that a prompt is read with; here also one before guesses, and those that are over.
  const auto drafts =
      std::count_if(wishes.begin(), wishes.end(), [](const Wish& wish) { return wish.drafts; });
  EXPECT_LE(peak - before.bytes,
            (1 + 2 * static_cast<int64_t>(wishes.size()) + drafts) * pool.bytes_each());
  size_t cancelled = 0;
  for (const auto& speaker : over) {
    crowd.expect_as_alone(*speaker);
    cancelled += speaker->cancelled;
  }
  EXPECT_GE(cancelled, 3u);
  over.clear();
  EXPECT_LE(pool.usage().states, before.states + 1);  // a copy that the model keeps
}

// Whoever generates gets a token in every step, however long the prompts beside him are, and no
// step reads more of those than its time allows.
TEST(Engine, nobody_waits_longer_than_a_chunk) {
  const Crowd crowd(small_model(1));
  test::Random random(3);
  const double kTokenSeconds = 0.001;
  double time = 0;
  Engine engine(crowd.model(), {.patience = 0.1, .clock = [&] { return time; }});
  std::vector<std::unique_ptr<Speaker>> speakers;
  std::vector<Wish> wishes(14);
  for (size_t i = 0; i < wishes.size(); ++i) {
    const bool talks = i < 10;
    wishes[i].prompt.assign(talks ? 1 : 3000, static_cast<int32_t>(i + 1));
    wishes[i].sampling.banned = {0};
    wishes[i].options.max_tokens = talks ? 400 : 5;
    speakers.push_back(crowd.start(wishes[i]));
    ASSERT_TRUE(engine.submit(speakers.back()->generation));
  }
  // The clock goes on by what a step read: found out by the numbers of tokens themselves.
  const auto read = [&] {
    size_t sum = 0;
    for (const auto& speaker : speakers) sum += speaker->session.state().tokens_read();
    return sum;
  };
  size_t last = 0, largest = 0;
  std::vector<size_t> first_word(wishes.size());
  bool reading = true;
  for (size_t step = 0; reading && step < 400; ++step) {
    ASSERT_TRUE(engine.step());
    const size_t now = read();
    largest = std::max(largest, now - last);
    time += static_cast<double>(now - last) * kTokenSeconds;
    last = now;
    reading = false;
    for (size_t i = 0; i < speakers.size(); ++i) {
      const bool heard = speakers[i]->hear();
      EXPECT_TRUE(heard || i >= 10 || step == 0) << i << " in step " << step;
      if (heard && first_word[i] == 0) first_word[i] = step + 1;
      reading = reading || speakers[i]->generation->prompt_read() < wishes[i].prompt.size();
    }
  }
  EXPECT_FALSE(reading);
  EXPECT_LE(largest, 100u);
  // The four long ones were read side by side.
  for (size_t i = 10; i < speakers.size(); ++i) EXPECT_GT(first_word[i], 100u) << i;
  for (const auto& speaker : speakers) speaker->generation->cancel();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(engine.step());
    for (const auto& speaker : speakers) speaker->hear();
  }
  EXPECT_EQ(*engine.active(), 0u);
}

TEST(Engine, what_goes_wrong_with_one_is_told_to_that_one) {
  const Crowd crowd(small_model(2));
  test::Random random(11);
  std::vector<Wish> wishes;
  for (int i = 0; i < 6; ++i) {
    wishes.push_back(crowd.wish(random, 20, 50));
    wishes.back().sampling.banned = {0};
    wishes.back().options.stops.stop_strings.clear();
    wishes.back().options.max_tokens = 50;
  }
  Engine engine(crowd.model());
  std::vector<std::unique_ptr<Speaker>> speakers;
  for (const Wish& wish : wishes) {
    speakers.push_back(crowd.start(wish));
    ASSERT_TRUE(engine.submit(speakers.back()->generation));
  }
  for (int step = 0; step < 400; ++step) {
    ASSERT_TRUE(engine.step());
    for (auto& speaker : speakers) speaker->hear();
    // As an overflow in it would leave it, one of another model, and one that a step lost.
    if (step == 10) test::set_number(speakers[2]->session.change_state(), 5, std::nanf(""));
    if (step == 12) speakers[4]->session.change_state() = small_model(1, 2)->new_state();
    if (step == 14) speakers[1]->session.change_state().lose();
  }
  for (size_t i = 0; i < speakers.size(); ++i) {
    const Status& status = speakers[i]->generation->status();
    if (i == 1 || i == 2 || i == 4) {
      ASSERT_FALSE(status) << i;
      EXPECT_EQ(status.error().code, i == 4 ? Code::mismatch : Code::corrupt);
      EXPECT_EQ(speakers[i]->finish, Finish::interrupted);
    } else {
      EXPECT_TRUE(status) << i << ": " << status.error().message;
      crowd.expect_as_alone(*speakers[i]);
    }
  }
  EXPECT_EQ(*engine.active(), 0u);
}

// Each steps when he wants his next token, and so for all the others.
TEST(Engine, several_threads_may_each_wait_for_their_own) {
  const Crowd crowd(small_model(2));
  test::Random random(5);
  std::vector<Wish> wishes;
  for (int i = 0; i < 8; ++i) wishes.push_back(crowd.wish(random, 300, 60));
  Engine engine(crowd.model());
  std::vector<std::unique_ptr<Speaker>> speakers;
  for (const Wish& wish : wishes) speakers.push_back(crowd.start(wish));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 6; ++i)
    threads.emplace_back([&, i] {
      Speaker& me = *speakers[i];
      Event event;
      while (me.finish == Finish::running) {
        ASSERT_TRUE(engine.next(me.generation, event));
        me.text += event.text;
        if (event.id >= 0) me.ids.push_back(event.id);
        me.finish = event.finish;
        if (me.finish == Finish::running) ++me.events;
      }
    });
  // One who only looks, one who reads a text, and one who changes his mind.
  threads.emplace_back([&] {
    Session session(crowd.model());
    EXPECT_EQ(*engine.read(session, wishes[0].prompt), wishes[0].prompt.size());
    // The others may have read on before he says that it is enough.
    const auto some =
        engine.read(session, Ids(2000, 3), [](size_t done, size_t) { return done < 100; });
    ASSERT_TRUE(some);
    EXPECT_GE(*some, 100u);
  });
  threads.emplace_back([&] {
    ASSERT_TRUE(engine.submit(speakers[6]->generation));
    for (int i = 0; i < 20; ++i) {
      speakers[6]->hear();
      std::this_thread::yield();
    }
    speakers[6]->generation->cancel();
    speakers[6]->cancelled = true;
    while (speakers[6]->finish == Finish::running) {
      ASSERT_TRUE(engine.step());
      speakers[6]->hear();
    }
  });
  for (std::thread& thread : threads) thread.join();
  speakers.pop_back();
  for (const auto& speaker : speakers) crowd.expect_as_alone(*speaker);
}

// Two models and a second engine, each stepped by a thread of its own.
TEST(Engine, several_models_share_the_processors_evenly) {
  const int processors = usable_processors();
  const Crowd first(small_model(processors, 2)), second(small_model(processors, 2));
  Engine engines[] = {Engine(first.model()), Engine(second.model()), Engine(first.model())};
  std::atomic<bool> over{false};
  std::atomic<int64_t> tokens[3] = {};
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 3; ++i)
    threads.emplace_back([&, i] {
      const Crowd& crowd = i == 1 ? second : first;
      std::vector<Wish> wishes(4);
      std::vector<std::unique_ptr<Speaker>> speakers;
      for (Wish& wish : wishes) {
        wish.prompt = {65};
        wish.sampling.banned = {0};
        speakers.push_back(crowd.start(wish));
        ASSERT_TRUE(engines[i].submit(speakers.back()->generation));
      }
      Event event;
      while (!over.load()) {
        ASSERT_TRUE(engines[i].step());
        for (const auto& speaker : speakers) tokens[i] += speaker->generation->take(event);
      }
      for (const auto& speaker : speakers) engines[i].forget(speaker->generation);
    });
  // One fair stretch: in each of them other processes may have kept a thread from its processor,
  // and what is unfair here is so in all.
  double seen = 0;
  int looks = 0;
  std::string shares;
  bool fair = false;
  for (int stretch = 0; stretch < 4 && !fair; ++stretch) {
    for (auto& one : tokens) one = 0;
    for (int i = 0; i < 120; ++i, ++looks) {
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
      seen += test::runnable_threads();
    }
    const int64_t all[] = {tokens[0], tokens[1], tokens[2]};
    const auto [least, most] = std::minmax({all[0], all[1], all[2]});
    fair = 4 * least > most;
    shares += fmt::format("{} {} {}; ", all[0], all[1], all[2]);
  }
  over = true;
  for (std::thread& thread : threads) thread.join();
  // Beside those in turn one is now and then on its way in or out. Three teams that knew nothing of
  // each other would be three times as many.
  EXPECT_LE(seen / looks, processors + 1.0);
  EXPECT_TRUE(fair) << shares;
  RecordProperty("threads_seen_running", std::to_string(seen / looks));
}

// Without an engine: who wants one token does not wait for the end of somebody's book.
TEST(Engine, a_long_call_lets_others_in_between_its_passes) {
  const auto model = small_model(1, 2, 64);
  const Ids book(64 * 200, 7), page(64 * 3, 9);
  const std::vector<float> expected = [&] {
    State state = model->new_state();
    return test::logits_of(*model, state, page);
  }();
  State whole = model->new_state();
  std::atomic<bool> reading{true};
  std::thread reader([&] {
    EXPECT_TRUE(model->eval(whole, book, Want::none, nullptr));
    reading = false;
  });
  int words = 0;
  const auto vocab = static_cast<size_t>(model->vocab());
  while (reading.load()) {
    State state = model->new_state();
    std::vector<float> logits(page.size() * vocab);
    ASSERT_TRUE(model->eval(state, page, Want::all, logits.data()));  // of several passes as well
    EXPECT_TRUE(test::same_bits(logits, expected));
    ++words;
  }
  reader.join();
  EXPECT_GT(words, 5);
  State again = model->new_state();
  ASSERT_TRUE(model->eval(again, book, Want::none, nullptr));
  EXPECT_TRUE(whole == again);
}

TEST(Engine, an_ended_task_can_come_again) {
  const Crowd crowd(small_model(1));
  test::Random random(2);
  Wish wish = crowd.wish(random, 50, 10);
  wish.sampling.banned = {0};
  wish.options.stops.stop_strings.clear();
  wish.options.max_tokens = 60;
  Engine engine(crowd.model());
  const auto whole = crowd.start(wish);
  Event event;
  while (whole->finish == Finish::running) {
    ASSERT_TRUE(engine.next(whole->generation, event));
    if (event.id >= 0) whole->ids.push_back(event.id);
    whole->finish = event.finish;
  }
  wish.options.max_tokens = 20;
  const auto parts = crowd.start(wish);
  ASSERT_TRUE(engine.submit(parts->generation));
  ASSERT_TRUE(engine.submit(parts->generation));  // is there already
  EXPECT_EQ(*engine.active(), 1u);
  for (int part = 0; part < 3; ++part) {
    for (parts->finish = Finish::running; parts->finish == Finish::running;) {
      ASSERT_TRUE(engine.step());
      parts->hear();
    }
    EXPECT_EQ(*engine.active(), 0u);
    parts->generation->resume(20);
    ASSERT_TRUE(engine.submit(parts->generation));
  }
  EXPECT_EQ(parts->ids, whole->ids);
}

TEST(Engine, steps_allocate_nothing_that_stays) {
  const Crowd crowd(small_model(2));
  test::Random random(1);
  std::vector<Wish> wishes(5, crowd.wish(random, 10, 10));
  Engine engine(crowd.model());
  std::vector<std::unique_ptr<Speaker>> speakers;
  for (Wish& wish : wishes) {
    wish.sampling.banned = {0};
    wish.options = {};
    wish.drafts = false;
    speakers.push_back(crowd.start(wish));
    ASSERT_TRUE(engine.submit(speakers.back()->generation));
  }
  Event event;
  const auto step = [&] {
    ASSERT_TRUE(engine.step());
    for (const auto& speaker : speakers) speaker->generation->take(event);
  };
  for (int i = 0; i < 200; ++i) step();
  const auto bytes = crowd.model()->state_layout()->pool->usage().bytes;
  for (int i = 0; i < 500; ++i) step();
  EXPECT_EQ(crowd.model()->state_layout()->pool->usage().bytes, bytes);
}

// Also where a guess came true, so that nothing had to be read.
TEST(Engine, a_step_that_brings_an_event_says_that_something_moved) {
  const Crowd crowd(small_model(1));
  Wish wish;
  wish.prompt = Ids(60, 98);
  wish.sampling.temperature = 0;
  wish.sampling.presence = wish.sampling.frequency = 0;
  wish.sampling.banned = {0};
  wish.options.max_tokens = 100;
  wish.options.draft = 8;
  wish.options.draft_cost = 0;
  wish.drafts = true;
  const auto speaker = crowd.start(wish);
  Engine engine(crowd.model());
  ASSERT_TRUE(engine.submit(speaker->generation));
  while (*engine.step()) speaker->hear();
  EXPECT_EQ(speaker->finish, Finish::length);
  EXPECT_EQ(speaker->ids.size(), 100u);
  EXPECT_GT(speaker->generation->accepted_count(), 10);
  // Without an event that was fetched nothing moves.
  const auto deaf = crowd.start(wish);
  ASSERT_TRUE(engine.submit(deaf->generation));
  int steps = 0;
  while (*engine.step()) ++steps;
  EXPECT_LT(steps, 20);
  EXPECT_EQ(*engine.active(), 1u);
  engine.forget(deaf->generation);
  EXPECT_EQ(*engine.active(), 0u);
}

TEST(Engine, prompts_are_cut_where_blocks_end) {
  constexpr auto kBlock = static_cast<size_t>(kFastBlock);
  for (const uint64_t read : {0u, 1u, 31u, 32u, 33u, 1000u})
    for (const size_t left : {1u, 5u, 31u, 32u, 33u, 100u, 5000u})
      for (const size_t room : {0u, 1u, 7u, 32u, 33u, 64u, 512u, 100'000u}) {
        const size_t count = cut_prompt(read, left, room);
        EXPECT_GE(count, 1u);
        EXPECT_LE(count, left);
        EXPECT_TRUE(count == left || (read + count) % kBlock == 0);
        EXPECT_LE(count, std::max(room, kBlock));
        EXPECT_TRUE(count == left || room < kBlock || count + kBlock > room);
      }
}

}  // namespace
}  // namespace skein
