// Guesses change how fast tokens come and nothing else: the same tokens, texts, logits, ends and
// states with any drafter as without one.
#include "run/lookahead.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>

#include "run/chat.h"
#include "support/allocations.h"
#include "support/engine.h"
#include "support/make_model.h"
#include "support/models.h"
#include "support/random.h"
#include "support/states.h"
#include "support/thorough.h"
#include "text/template.h"

namespace skein {
namespace {

using Ids = std::vector<int32_t>;

// Knows what will be said, and says the truth where `right` says so. It is always sure of itself,
// so that all its guesses are tried.
class Scripted final : public Drafter {
 public:
  using Right = std::function<bool(size_t place, size_t guess)>;
  Scripted(Ids truth, int32_t vocab, Right right)
      : truth_(std::move(truth)), vocab_(vocab), right_(std::move(right)) {}

  void push(int32_t) override { ++at_; }
  size_t guess(std::span<Guess> out) const override {
    size_t count = 0;
    for (; count < out.size() && at_ + count < truth_.size(); ++count) {
      const int32_t id = truth_[at_ + count];
      const bool right = right_(at_, count);
      out[count] = {right ? id : (id + 1 + static_cast<int32_t>(at_ % 7)) % vocab_, 1.0};
    }
    return count;
  }

 private:
  Ids truth_;
  int32_t vocab_;
  Right right_;
  size_t at_ = 0;
};

const std::vector<std::pair<std::string, Scripted::Right>> kScripts = {
    {"right", [](size_t, size_t) { return true; }},
    {"mostly right", [](size_t place, size_t guess) { return (place + guess) % 7 != 3; }},
    {"mostly wrong", [](size_t place, size_t guess) { return (place + guess) % 7 == 3; }},
    {"first wrong", [](size_t, size_t guess) { return guess > 0; }},
    {"garbage", [](size_t, size_t) { return false; }},
};

// The models are small, and bits_test.cpp has the other numbers.
const ModelOptions kOneThread = {.threads = 1};

struct Subject {
  std::shared_ptr<Model> model;
  text::TokenizerPtr tokenizer;  // null: ids only
  TokenTraits traits;
  Ids prompt;
};

Subject bundled(const std::string& text) {
  Subject out;
  out.model = test::open_model(std::filesystem::path(SKEIN_SOURCE_DIR) / "models" / "bundled-0.pth",
                               kOneThread);
  out.tokenizer = text::byte_tokenizer_257();
  out.traits =
      token_traits(out.model->vocab(), [&](int32_t id) { return out.tokenizer->bytes_of(id); });
  out.prompt = *out.tokenizer->encode(text);
  out.prompt.insert(out.prompt.begin(), 0);
  return out;
}

Subject random_subject(const std::string& design) {
  const test::ModelSizes sizes = {.layers = 2,
                                  .width = 120,
                                  .heads = 3,
                                  .inner = 200,
                                  .vocab = 60,
                                  .design = design,
                                  .groups = design.ends_with("qwen2") ? 1 : 0};
  const auto path =
      std::filesystem::temp_directory_path() / fmt::format("skein_lookahead_{}.st", getpid());
  const auto bytes = test::as_safetensors(test::random_model(sizes), hints_of(sizes));
  const std::span<const std::byte> parts[] = {bytes};
  EXPECT_TRUE(write_file(path, parts));
  Subject out;
  out.model = test::open_model(path, kOneThread);
  std::filesystem::remove(path);
  out.traits = token_traits(out.model->vocab());
  out.prompt = {1, 2, 3};
  return out;
}

// All that can be seen of a generation from outside.
struct Seen {
  Ids ids;
  std::vector<std::string> texts;
  std::vector<double> logprobs;
  Finish finish = Finish::running;
  uint64_t fingerprint = 0;
  int64_t read = 0, thoughts = 0;
  std::string unread;
  std::vector<float> logits, state, settled_logits, settled_state;
  uint64_t hash = 0;
  Ids rest;
  SamplerMemory memory;
  std::string error;
  int64_t drafted = 0, accepted = 0;
};

struct Plan {
  Sampling sampling;
  GenerateOptions options;
  size_t interrupt_after = SIZE_MAX;  // events
  int64_t resume = 0;                 // tokens more after the first end
};

std::vector<float> copy(std::span<const float> values) { return {values.begin(), values.end()}; }

Seen generate(const Subject& subject, const Plan& plan, Drafter* drafter = nullptr,
              int64_t longest = 16, bool certain = true) {
  Seen out;
  Session session(subject.model);
  EXPECT_TRUE(test::feed(session, subject.prompt));
  auto sampler = Sampler::create(plan.sampling, subject.traits);
  EXPECT_TRUE(sampler);
  GenerateOptions options = plan.options;
  options.logprobs = true;
  options.drafter = drafter;
  options.draft = longest;
  if (certain) options.draft_cost = 0;  // all guesses are tried
  auto generation = test::start(session, subject.tokenizer.get(), std::move(*sampler), options);
  EXPECT_TRUE(generation);
  Event event;
  const auto run = [&] {
    while (generation->finish() == Finish::running) {
      const Status status = out.texts.size() == plan.interrupt_after ? generation->interrupt(event)
                                                                     : generation->next(event);
      if (!status) out.error = status.error().message;
      out.texts.push_back(event.thinking + "|" + event.text);
      if (event.id < 0) continue;
      out.ids.push_back(event.id);
      out.logprobs.push_back(event.logprob);
    }
  };
  run();
  if (plan.resume > 0 &&
      (generation->finish() == Finish::length || generation->finish() == Finish::interrupted)) {
    (*generation)->resume(plan.resume);
    run();
  }
  out.finish = generation->finish();
  out.fingerprint = (*generation)->fingerprint().value_or(0);
  out.read = (*generation)->read_count();
  out.thoughts = (*generation)->thought_count();
  out.unread = (*generation)->unread_text();
  out.memory = (*generation)->sampler().memory();
  out.logits = copy(session.logits());
  out.state = test::numbers(session.state());
  out.hash = session.state().tokens_hash();
  EXPECT_EQ(session.state().tokens_read(), subject.prompt.size() + static_cast<size_t>(out.read));
  const auto rest = generation->settle();
  EXPECT_TRUE(rest);
  out.rest = *rest;
  out.settled_logits = copy(session.logits());
  out.settled_state = test::numbers(session.state());
  out.drafted = (*generation)->drafted_count();
  out.accepted = (*generation)->accepted_count();
  return out;
}

void expect_same(const Seen& got, const Seen& plain, const std::string& what) {
  EXPECT_EQ(got.ids, plain.ids) << what;
  EXPECT_EQ(got.texts, plain.texts) << what;
  EXPECT_EQ(got.logprobs, plain.logprobs) << what;
  EXPECT_EQ(got.finish, plain.finish) << what;
  EXPECT_EQ(got.fingerprint, plain.fingerprint) << what;
  EXPECT_EQ(got.read, plain.read) << what;
  EXPECT_EQ(got.thoughts, plain.thoughts) << what;
  EXPECT_EQ(got.unread, plain.unread) << what;
  EXPECT_EQ(got.hash, plain.hash) << what;
  EXPECT_EQ(got.rest, plain.rest) << what;
  EXPECT_EQ(got.error, plain.error) << what;
  EXPECT_TRUE(got.memory == plain.memory) << what;
  EXPECT_TRUE(test::same_bits(got.state, plain.state)) << what;
  EXPECT_TRUE(test::same_bits(got.settled_state, plain.settled_state)) << what;
  // Where an end lies back at a kept state, its logits are not known; with guesses another one may
  // be kept.
  if (plain.finish != Finish::stop || (!got.logits.empty() && !plain.logits.empty())) {
    EXPECT_TRUE(test::same_bits(got.logits, plain.logits)) << what;
  }
  if (!got.settled_logits.empty() && !plain.settled_logits.empty()) {
    EXPECT_TRUE(test::same_bits(got.settled_logits, plain.settled_logits)) << what;
  }
}

// The same plan with every script and with prompt lookup. `truth`: what the scripts know, which may
// go on after the end of the plan. How many positions were compared.
int64_t compare_all(const Subject& subject, const Plan& plan, const Ids& truth, int64_t longest,
                    const std::string& what) {
  const Seen plain = generate(subject, plan);
  int64_t positions = 0;
  for (const auto& [name, right] : kScripts) {
    Scripted drafter(truth, subject.model->vocab(), right);
    const std::string here = fmt::format("{}, {}, {} guesses", what, name, longest);
    const Seen got = generate(subject, plan, &drafter, longest);
    expect_same(got, plain, here);
    positions += static_cast<int64_t>(got.ids.size());
    if (plain.ids != truth) continue;
    EXPECT_GT(got.drafted, 0) << here;
    if (name == "right") {
      EXPECT_EQ(got.accepted, got.drafted) << here;
    }
    if (name == "first wrong" || name == "garbage") {
      EXPECT_EQ(got.accepted, 0) << here;
    }
  }
  PromptLookup lookup;
  for (const int32_t id : subject.prompt) lookup.push(id);
  const Seen got = generate(subject, plan, &lookup, longest, false);
  expect_same(got, plain, what + ", prompt lookup");
  return positions + static_cast<int64_t>(got.ids.size());
}

std::vector<std::pair<std::string, Sampling>> samplings() {
  std::vector<std::pair<std::string, Sampling>> out;
  const auto add = [&](const char* name, const auto& change) {
    Sampling sampling;
    sampling.top_p = 0.95;
    sampling.presence = sampling.frequency = 0.1;
    sampling.banned = {0};
    sampling.seed = 5;
    change(sampling);
    out.emplace_back(name, sampling);
  };
  add("greedy", [](Sampling& s) { s.temperature = s.presence = s.frequency = 0; });
  add("lively", [](Sampling&) {});
  add("mirostat", [](Sampling& s) { s.mirostat = 2, s.mirostat_tau = 3; });
  add("biased", [](Sampling& s) { s.top_k = 9, s.logit_bias = {{7, 2.5}, {33, -3}}; });
  add("penalised", [](Sampling& s) {
    s.penalty_style = PenaltyStyle::ai00, s.repetition = 1.3, s.presence = 0.9, s.min_p = 0.02;
  });
  add("hot",
      [](Sampling& s) { s.order = SampleOrder::openai, s.temperature = 1.5, s.typical_p = 0.9; });
  return out;
}

// In turns: one guess, a few, more than a tile of tokens.
int64_t length_of(size_t turn) { return std::array{5, 16, 1}[turn % 3]; }

TEST(Lookahead, tokens_logits_and_states_are_those_without_guesses) {
  int64_t positions = 0;
  size_t turn = 0;
  std::vector<std::pair<std::string, Subject>> subjects;
  subjects.emplace_back("bundled", bundled("User: Tell me a story.\n\nAssistant:"));
  for (const std::string& design : test::runnable_designs())
    subjects.emplace_back(design, random_subject(design));
  for (const auto& [name, subject] : subjects)
    for (const auto& [setting, sampling] : samplings()) {
      Plan plan;
      plan.sampling = sampling;
      plan.options.max_tokens = subject.tokenizer ? 70 : 26;
      const Ids truth = generate(subject, plan).ids;
      positions += compare_all(subject, plan, truth, length_of(turn++), name + ", " + setting);
    }
  EXPECT_GE(positions, 10000);
  RecordProperty("positions", std::to_string(positions));
}

TEST(Lookahead, ends_inside_guesses_are_the_ends_without_them) {
  const Subject subject = bundled("User: Tell me a story.\n\nAssistant:");
  const text::Profile& chat = *text::profile_by_name("g1");
  for (int kind = 0; kind < 7; ++kind)
    for (const uint64_t seed : {1, 2}) {
      if (!test::taken(static_cast<size_t>(kind), seed, 2)) continue;
      Plan plan;
      plan.sampling.top_p = 0.95;
      plan.sampling.seed = seed;
      plan.options.max_tokens = 150;
      Plan endless = plan;
      endless.sampling.banned = {0};
      const Ids truth = generate(subject, endless).ids;
      GenerateOptions& options = plan.options;
      if (kind == 0) options.stops.stop_strings = {"e", "\n\n"};
      if (kind == 1) options.stops.stop_strings = {". ", "a stone to the"};
      if (kind == 2) options.stops.stop_strings = {"never there", " the "};
      if (kind == 3 || kind == 4) {
        options.stops = {
            .policy = kind == 3 ? text::StopPolicy::tentative : text::StopPolicy::blank_line,
            .stop_strings = {},
            .role_words = chat.role_words,
            .chat = true,
            .opening = ""};
        options.profile = &chat;
      }
      if (kind == 5) options.max_tokens = -1;  // to the end of the text
      if (kind == 6) {
        options.stops = {.policy = text::StopPolicy::blank_line,
                         .stop_strings = {},
                         .role_words = {},
                         .chat = true,
                         .opening = " <think"};
        options.think_budget = 12;
      }
      compare_all(subject, plan, truth, length_of(seed),
                  fmt::format("end {}, seed {}", kind, seed));
    }
}

TEST(Lookahead, a_limit_of_any_length_is_met_exactly) {
  const Subject subject = bundled("User: Tell me a story.\n\nAssistant:");
  Plan plan;
  plan.sampling.banned = {0};
  plan.options.max_tokens = 40;
  const Ids truth = generate(subject, plan).ids;
  for (int64_t limit = 0; limit < 25; ++limit) {
    plan.options.max_tokens = limit;
    plan.resume = limit % 3 * 5;
    const Seen plain = generate(subject, plan);
    Scripted drafter(truth, subject.model->vocab(), kScripts[0].second);
    const Seen got = generate(subject, plan, &drafter, 8);
    expect_same(got, plain, fmt::format("limit {}", limit));
    // What comes after the limit is never tried.
    EXPECT_EQ(got.accepted, got.drafted) << limit;
  }
}

TEST(Lookahead, a_cancel_at_any_event_leaves_what_was_shown_and_can_be_taken_back) {
  const Subject subject = bundled("User: Tell me a story.\n\nAssistant:");
  Plan plan;
  plan.sampling.top_p = 0.95;
  plan.sampling.banned = {0};
  plan.options.max_tokens = 60;
  const Ids truth = generate(subject, plan).ids;
  for (size_t after = 0; after < 24; ++after) {
    plan.interrupt_after = after;
    plan.resume = after % 2 ? 25 : 0;
    compare_all(subject, plan, truth, length_of(after), fmt::format("cancelled after {}", after));
  }
}

// A token whose embedding is infinite makes all that reads it infinite.
TEST(Lookahead, a_guess_that_would_poison_the_state_does_not_and_a_drawn_one_is_told) {
  constexpr int32_t kPoison = 17;
  const test::ModelSizes sizes = {.vocab = 40};
  test::ModelData data = test::random_model(sizes);
  for (size_t i = 0; i < 64; ++i)
    data["emb.weight"].data[kPoison * 64 + i] = std::numeric_limits<float>::infinity();
  const auto path =
      std::filesystem::temp_directory_path() / fmt::format("skein_poison_{}.st", getpid());
  const auto bytes = test::as_safetensors(data, hints_of(sizes));
  const std::span<const std::byte> parts[] = {bytes};
  ASSERT_TRUE(write_file(path, parts));
  Subject subject;
  subject.model = test::open_model(path, kOneThread);
  std::filesystem::remove(path);
  subject.traits = token_traits(subject.model->vocab());
  subject.prompt = {1, 2, 3};

  class Poisonous final : public Drafter {
   public:
    void push(int32_t) override {}
    size_t guess(std::span<Guess> out) const override {
      for (Guess& guess : out) guess = {kPoison, 1.0};
      return out.size();
    }
  };
  Plan plan;
  plan.sampling.top_p = 1;
  plan.sampling.banned = {0, kPoison};
  plan.options.max_tokens = 50;
  Poisonous drafter;
  const Seen fine = generate(subject, plan, &drafter);
  expect_same(fine, generate(subject, plan), "never drawn");
  EXPECT_GT(fine.drafted, 0);
  EXPECT_EQ(fine.error, "");

  plan.sampling.banned = {0};
  plan.sampling.temperature = 3;
  plan.sampling.order = SampleOrder::openai;
  plan.options.max_tokens = 1000;
  Poisonous again;
  const Seen plain = generate(subject, plan);
  EXPECT_NE(plain.error, "");
  expect_same(generate(subject, plan, &again), plain, "drawn");
}

TEST(Lookahead, a_pass_that_fails_leaves_a_state_that_has_read_what_the_generation_says) {
  const auto whole = test::fixture("models/v7.pth");
  Subject subject;
  subject.model = test::open_model(whole, kOneThread);
  subject.traits = token_traits(subject.model->vocab());
  subject.prompt = {1, 2, 3};
  Plan plan;
  plan.sampling.banned = {0};
  plan.options.max_tokens = 60;
  const Ids truth = generate(subject, plan).ids;
  const auto path =
      std::filesystem::temp_directory_path() / fmt::format("skein_drafts_cut_{}.pth", getpid());
  for (int good = 1; good < 20; ++good) {
    std::filesystem::copy_file(whole, path, std::filesystem::copy_options::overwrite_existing);
    Session session(test::open_model(path, kOneThread));
    ASSERT_TRUE(test::feed(session, subject.prompt));
    Scripted drafter(truth, subject.model->vocab(), kScripts[1].second);
    GenerateOptions options = plan.options;
    options.drafter = &drafter;
    options.draft_cost = 0;
    auto sampler = Sampler::create(plan.sampling, subject.traits);
    auto generation = test::start(session, nullptr, std::move(*sampler), options);
    ASSERT_TRUE(generation);
    Event event;
    for (int i = 0; i < good; ++i) ASSERT_TRUE(generation->next(event));
    std::filesystem::resize_file(path, 100);
    Status status;
    while (status) status = generation->next(event);  // guesses that were read need no file
    EXPECT_EQ(status.error().code, Code::io);
    EXPECT_EQ(generation->finish(), Finish::interrupted);
    const auto read = static_cast<size_t>((*generation)->read_count());
    ASSERT_LE(read, truth.size());
    State wanted = subject.model->new_state();
    Ids ids = subject.prompt;
    ids.insert(ids.end(), truth.begin(), truth.begin() + static_cast<int64_t>(read));
    ASSERT_TRUE(subject.model->eval(wanted, ids, Want::none, nullptr));
    EXPECT_TRUE(session.state() == wanted) << good;
    EXPECT_EQ(session.state().tokens_hash(), wanted.tokens_hash()) << good;
    std::filesystem::remove(path);
  }
}

TEST(Lookahead, a_chat_goes_on_as_if_nothing_had_been_guessed) {
  const Subject subject = bundled("");
  const auto chat = [&](int64_t draft) {
    ChatSettings settings;
    settings.profile = text::profile_by_name("bytes");
    settings.sampling = sampling_of(settings.profile->sampler);
    settings.max_tokens = 60;
    settings.draft = draft;
    return std::move(*Chat::create(std::make_shared<Engine>(subject.model), subject.tokenizer,
                                   std::move(settings)));
  };
  const auto plain = chat(0), guessing = chat(16);
  int64_t drafted = 0;
  size_t events = 0;
  const auto both = [&](const auto& act) {
    ChatListener stopping;
    const auto until = [&](size_t limit) {
      stopping.answer = [&events, limit](const Event&) { return ++events < limit; };
    };
    const size_t limit = 5 + static_cast<size_t>(drafted % 40);
    events = 0, until(limit);
    const auto a = act(*plain, stopping);
    events = 0, until(limit);
    const auto b = act(*guessing, stopping);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(a->text, b->text);
    EXPECT_EQ(a->finish, b->finish);
    EXPECT_EQ(a->fingerprint, b->fingerprint);
    EXPECT_EQ(*plain->transcript(), *guessing->transcript());
    drafted += b->drafted;
  };
  for (const char* text : {"Tell me a story.", "Say it once more.", "Tell me a story."}) {
    both([&](Chat& one, const ChatListener&) { return one.say(text, {}); });
    both([&](Chat& one, const ChatListener&) { return one.retry({}); });
    both([&](Chat& one, const ChatListener&) { return one.alternative({}, nullptr); });
    both([&](Chat& one, const ChatListener& stopping) { return one.say(text, stopping); });
    both([&](Chat& one, const ChatListener&) { return one.resume({}); });
    ASSERT_TRUE(plain->undo(1) && guessing->undo(1));
    const auto a = plain->state(), b = guessing->state();
    ASSERT_TRUE(a && b);
    EXPECT_TRUE(**a == **b);
    EXPECT_EQ((*a)->tokens_hash(), (*b)->tokens_hash());
  }
  EXPECT_GT(drafted, 0);
}

// A text that is known beforehand, read with guesses.
class Walk final : public Task {
 public:
  Walk(Lookahead& ahead, const Ids& text) : ahead_(ahead), text_(text) {}

  // Up to so many tokens of the text.
  Status to(Engine& engine, const std::shared_ptr<Task>& self, size_t end) {
    end_ = end;
    SK_TRY_STATUS(engine.wait(self));
    return status_;
  }

  Next next(Scratch&) override {
    while (!reads_ && at_ < end_ && status_)
      reads_ = ahead_.push(std::span(text_).subspan(at_++, 1), 8);
    return reads_ ? Next::reading : Next::end;
  }
  Reading reading() override { return ahead_.reading(); }
  Next took(Done done, Scratch& scratch) override {
    const auto again = ahead_.took(done);
    if (!again) status_ = tl::unexpected(again.error());
    reads_ = again && *again;
    return next(scratch);
  }
  void abandon() noexcept override { status_ = no_memory(), reads_ = false; }

 private:
  Lookahead& ahead_;
  const Ids& text_;
  size_t at_ = 0, end_ = 0;
  bool reads_ = false;
  Status status_;
};

TEST(Lookahead, passes_with_guesses_allocate_nothing_after_the_first_ones) {
  const Subject subject = random_subject("rwkv7");
  Session session(subject.model);
  ASSERT_TRUE(test::feed(session, subject.prompt));
  Ids truth(2000);
  test::Random random(1);
  for (int32_t& id : truth) id = static_cast<int32_t>(random.below(60));
  Scripted drafter(truth, subject.model->vocab(), kScripts[1].second);
  Engine engine(subject.model);
  Lookahead ahead(session, &drafter, 8, 0.0);
  const auto walk = std::make_shared<Walk>(ahead, truth);
  ASSERT_TRUE(walk->to(engine, walk, 500));
  const long before = test::allocations();
  ASSERT_TRUE(walk->to(engine, walk, 2000));
  EXPECT_EQ(test::allocations(), before);
  EXPECT_GT(ahead.accepted(), 500);
  EXPECT_GT(ahead.drafted(), ahead.accepted());
}

TEST(Lookahead, right_guesses_save_passes_and_settling_stands_where_plain_reading_does) {
  const Subject subject = random_subject("rwkv7");
  Session plain(subject.model), guessing(subject.model);
  ASSERT_TRUE(test::feed(plain, subject.prompt) && test::feed(guessing, subject.prompt));
  const Ids truth(200, 5);
  Scripted drafter(truth, subject.model->vocab(), kScripts[0].second);
  Engine engine(subject.model);
  Lookahead ahead(guessing, &drafter, 8, 0.0);
  const auto walk = std::make_shared<Walk>(ahead, truth);
  for (size_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(test::feed(plain, 5));
    ASSERT_TRUE(walk->to(engine, walk, i + 1));
    EXPECT_TRUE(test::same_bits(ahead.logits(), plain.logits())) << i;
    EXPECT_EQ(ahead.tokens_read(), plain.state().tokens_read());
  }
  EXPECT_EQ(ahead.accepted(), 88);  // twelve passes of nine tokens
  EXPECT_LE(ahead.known_state().tokens_read(), ahead.tokens_read());
  ASSERT_TRUE(walk->to(engine, walk, 101));
  ASSERT_TRUE(test::feed(plain, 5));
  EXPECT_GT(guessing.state().tokens_read(), plain.state().tokens_read());
  const auto text_ends = static_cast<size_t>(ahead.tokens_read() - subject.prompt.size());
  ahead.drop_guesses();
  const auto stands = static_cast<size_t>(guessing.state().tokens_read() - subject.prompt.size());
  ASSERT_LT(stands, text_ends);
  ASSERT_TRUE(test::feed(guessing, std::span(truth).subspan(stands, text_ends - stands)));
  EXPECT_TRUE(guessing.state() == plain.state());
  EXPECT_EQ(guessing.state().tokens_hash(), plain.state().tokens_hash());
  EXPECT_TRUE(test::same_bits(guessing.logits(), plain.logits()));
}

TEST(LookaheadDeathTest, a_guess_outside_the_vocabulary_is_a_mistake_of_the_drafter) {
  const Subject subject = random_subject("rwkv7");
  Session session(subject.model);
  ASSERT_TRUE(test::feed(session, subject.prompt));
  class Outside final : public Drafter {
   public:
    void push(int32_t) override {}
    size_t guess(std::span<Guess> out) const override {
      out[0] = {60, 1.0};
      return 1;
    }
  } drafter;
  Lookahead ahead(session, &drafter, 4, 0.0);
  EXPECT_DEATH(static_cast<void>(ahead.push(std::array{1}, 4)), "guess.id");
}

TEST(Lookahead, logits_may_be_wanted_from_any_token_on) {
  const Subject subject = random_subject("rwkv7");
  const Ids ids = {4, 8, 15, 16, 23, 42};
  const auto vocab = static_cast<size_t>(subject.model->vocab());
  State state = subject.model->new_state();
  const std::vector<float> all = test::logits_of(*subject.model, state, ids);
  for (size_t first = 0; first < ids.size(); ++first) {
    State other = subject.model->new_state();
    std::vector<float> rows((ids.size() - first) * vocab);
    const Job job = {&other, ids, Want::all, rows.data(), first};
    ASSERT_TRUE(subject.model->eval({&job, 1}));
    EXPECT_TRUE(test::same_bits(rows, std::span(all).subspan(first * vocab)));
    EXPECT_TRUE(other == state);
  }
  std::vector<float> unused(vocab);
  const Job beyond = {&state, ids, Want::all, unused.data(), ids.size()};
  const Status refused = subject.model->eval({&beyond, 1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::argument);
}

}  // namespace
}  // namespace skein
