#include "run/generate.h"

#include "base/platform.h"
#include "support/allocations.h"
#include "support/bundled.h"
#include "support/engine.h"
#include "support/models.h"
#include "support/sanitizers.h"
#include "support/states.h"
#include "text/template.h"

namespace skein {
namespace {

using test::kAddressSanitizer;

const char* const kQuestion = "User: Reverse: garden\n\nAssistant:";

std::filesystem::path bundled_path() {
  return std::filesystem::path(SKEIN_SOURCE_DIR) / "models" / "bundled-0.pth";
}

struct Bench {
  std::shared_ptr<Model> model = test::open_model(bundled_path());
  text::TokenizerPtr tokenizer = text::byte_tokenizer_257();
  TokenTraits traits =
      token_traits(model->vocab(), [this](int32_t id) { return tokenizer->bytes_of(id); });

  std::vector<int32_t> prompt(const std::string& text = kQuestion) const {
    std::vector<int32_t> ids = *tokenizer->encode(text);
    ids.insert(ids.begin(), 0);
    return ids;
  }
  Session session(const std::vector<int32_t>& ids) const {
    Session out(model);
    EXPECT_TRUE(test::feed(out, ids));
    return out;
  }
  Sampler sampler(const Sampling& sampling) const {
    auto made = Sampler::create(sampling, traits);
    EXPECT_TRUE(made);
    return std::move(*made);
  }
  State state_after(std::vector<int32_t> ids, const std::vector<int32_t>& more, int64_t count,
                    const std::vector<int32_t>& rest = {}) const {
    ids.insert(ids.end(), more.begin(), more.begin() + count);
    ids.insert(ids.end(), rest.begin(), rest.end());
    return session(ids).state();
  }
};

Sampling greedy() {
  Sampling sampling;
  sampling.temperature = 0;
  sampling.presence = sampling.frequency = 0;
  return sampling;
}
Sampling lively(uint64_t seed) {
  Sampling sampling;
  sampling.top_p = 0.95;
  sampling.presence = sampling.frequency = 0.1;
  sampling.seed = seed;
  return sampling;
}

struct Result {
  std::string text, thinking;
  std::vector<int32_t> ids;
  std::vector<Event> events;
};

// Runs to the end, or for `stop_after` events.
Result run(const test::Solo& generation, size_t stop_after = SIZE_MAX) {
  Result out;
  Event event;
  while (generation.finish() == Finish::running) {
    if (out.events.size() == stop_after) {
      EXPECT_TRUE(generation.interrupt(event));
    } else {
      const Status status = generation.next(event);
      EXPECT_TRUE(status) << (status ? "" : status.error().message);
    }
    out.text += event.text;
    out.thinking += event.thinking;
    if (event.id >= 0) out.ids.push_back(event.id);
    out.events.push_back(event);
  }
  return out;
}

GenerateOptions with_stops(std::vector<std::string> stops, int64_t limit = -1) {
  GenerateOptions options;
  options.stops.stop_strings = std::move(stops);
  options.max_tokens = limit;
  return options;
}

TEST(Generate, the_bundled_model_reverses_a_word) {
  const Bench bench;
  Session session = bench.session(bench.prompt());
  auto generation =
      test::start(session, bench.tokenizer.get(), bench.sampler(greedy()), with_stops({"\n\n"}));
  ASSERT_TRUE(generation);
  EXPECT_EQ(run(*generation).text, " " BUNDLED_REVERSED);
  EXPECT_EQ(generation->finish(), Finish::stop);
}

TEST(Generate, stop_strings_spread_over_tokens_never_leak) {
  const Bench bench;
  // Every token is a byte here, so each stop is spread over as many tokens as it has letters.
  for (const std::string stop : {"drag", "n", "ag\n", "edrag\n\n"}) {
    Session session = bench.session(bench.prompt());
    auto generation = test::start(session, bench.tokenizer.get(), bench.sampler(greedy()),
                                  with_stops({stop, "never there"}, 200));
    ASSERT_TRUE(generation);
    const Result result = run(*generation);
    ASSERT_EQ(generation->finish(), Finish::stop) << stop;
    const std::string whole = *bench.tokenizer->decode(result.ids);
    EXPECT_EQ(result.text, whole.substr(0, whole.find(stop)));
    EXPECT_LT(whole.find(stop), whole.size());
    std::string shown;
    for (const Event& event : result.events) {
      shown += event.text;
      EXPECT_TRUE(whole.starts_with(shown));
      EXPECT_EQ(shown.find(stop), std::string::npos);
    }
  }
}

TEST(Generate, the_state_has_read_exactly_the_tokens_it_says) {
  const Bench bench;
  const text::Profile& chat = *text::profile_by_name("g1");
  for (const std::string text : {kQuestion, "User: Tell me a story.\n\nAssistant:"})
    for (uint64_t seed = kAddressSanitizer ? 4 : 0; seed < 6; ++seed)
      for (int kind = 0; kind < 5; ++kind) {
        GenerateOptions options = with_stops({}, 150);
        if (kind == 0) options.stops.stop_strings = {"e", "\n\n"};
        if (kind == 1) options.stops.stop_strings = {". ", "a stone to the"};
        if (kind == 2) options.max_tokens = 37;
        if (kind >= 3) {
          options.stops = {
              .policy = kind == 3 ? text::StopPolicy::tentative : text::StopPolicy::blank_line,
              .stop_strings = {},
              .role_words = chat.role_words,
              .chat = true,
              .opening = ""};
          options.profile = &chat;
        }
        const auto prompt = bench.prompt(text);
        Session session = bench.session(prompt);
        auto generation =
            test::start(session, bench.tokenizer.get(), bench.sampler(lively(seed)), options);
        ASSERT_TRUE(generation);
        const Result result = run(*generation, seed == 5 ? 20 : SIZE_MAX);
        const int64_t read = (*generation)->read_count();
        ASSERT_LE(read, static_cast<int64_t>(result.ids.size()));
        EXPECT_EQ(session.state().tokens_read(), prompt.size() + static_cast<size_t>(read));
        const State wanted = bench.state_after(prompt, result.ids, read);
        EXPECT_TRUE(session.state() == wanted) << text << seed << kind;
        EXPECT_EQ(session.state().tokens_hash(), wanted.tokens_hash());
        if (generation->finish() == Finish::length || generation->finish() == Finish::interrupted) {
          EXPECT_EQ(read + 1, static_cast<int64_t>(result.ids.size()));
        }
        const std::vector<int32_t> kept(result.ids.begin(), result.ids.begin() + read);
        const std::string read_text = *bench.tokenizer->decode(kept);
        if (generation->finish() == Finish::stop && kind < 3) {
          EXPECT_EQ(read_text + std::string((*generation)->unread_text()), result.text);
        }

        const auto rest = generation->settle();
        ASSERT_TRUE(rest);
        EXPECT_TRUE(session.state() == bench.state_after(prompt, result.ids, read, *rest));
      }
}

TEST(Generate, what_was_cut_short_goes_on_as_if_it_had_not_been) {
  const Bench bench;
  const auto prompt = bench.prompt("User: Tell me a story.\n\nAssistant:");
  Session whole = bench.session(prompt), parts = bench.session(prompt);
  auto one =
      test::start(whole, bench.tokenizer.get(), bench.sampler(lively(4)), with_stops({}, 120));
  auto many =
      test::start(parts, bench.tokenizer.get(), bench.sampler(lively(4)), with_stops({}, 40));
  ASSERT_TRUE(one && many);
  const Result expected = run(*one);
  Result got = run(*many);
  while (got.ids.size() < expected.ids.size()) {
    ASSERT_TRUE(many->finish() == Finish::length || many->finish() == Finish::interrupted);
    (*many)->resume(
        static_cast<int64_t>(std::min<size_t>(40, expected.ids.size() - got.ids.size())));
    const Result more = run(*many, 17);
    got.text += more.text;
    got.ids.insert(got.ids.end(), more.ids.begin(), more.ids.end());
  }
  EXPECT_EQ(got.ids, expected.ids);
  EXPECT_EQ(got.text, expected.text);
  EXPECT_EQ((*many)->fingerprint(), (*one)->fingerprint());
  EXPECT_TRUE(whole.state() == parts.state());
}

TEST(Generate, a_seed_decides_the_text_and_another_one_another) {
  const Bench bench;
  const auto text_of = [&](uint64_t seed) {
    Session session = bench.session(bench.prompt("User: Tell me a story.\n\nAssistant:"));
    auto generation = test::start(session, bench.tokenizer.get(), bench.sampler(lively(seed)),
                                  with_stops({"\n\n"}, 200));
    return run(*generation).text;
  };
  EXPECT_EQ(text_of(1), text_of(1));
  EXPECT_NE(text_of(1), text_of(2));
}

TEST(Generate, threads_do_not_change_the_fingerprint) {
  const Bench bench;
  std::vector<uint64_t> prints;
  for (const int threads : {1, 2, 3}) {
    ModelOptions options;
    options.threads = threads;
    Session session(test::open_model(bundled_path(), options));
    ASSERT_TRUE(test::feed(session, bench.prompt()));
    auto generation =
        test::start(session, bench.tokenizer.get(), bench.sampler(greedy()), with_stops({"\n\n"}));
    run(*generation);
    prints.push_back((*generation)->fingerprint().value_or(0));
  }
  EXPECT_EQ(prints[0], prints[1]);
  EXPECT_EQ(prints[0], prints[2]);
}

TEST(Generate, the_fingerprint_sees_one_bit) {
  std::vector<float> row(1000, 0.25f);
  LogitsFingerprint one, other;
  EXPECT_TRUE(one.add(row));
  row[777] = std::nextafter(row[777], 1.0f);
  EXPECT_TRUE(other.add(row));
  EXPECT_NE(one.value(), other.value());
  row[3] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(other.add(row));
  row[3] = std::nanf("");
  EXPECT_FALSE(other.add(row));
}

TEST(Generate, reading_that_is_stopped_leaves_a_state_of_what_was_read) {
  const Bench bench;
  std::vector<int32_t> ids(700);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i * 31 % 257);
  Session session(bench.model);
  const auto read = test::feed(session, ids, [](size_t done, size_t) { return done < 300; });
  ASSERT_TRUE(read);
  EXPECT_GE(*read, 300u);
  EXPECT_LT(*read, ids.size());
  EXPECT_TRUE(session.logits().empty());
  EXPECT_TRUE(session.state() == bench.state_after({}, ids, static_cast<int64_t>(*read)));
  EXPECT_FALSE(test::start(session, bench.tokenizer.get(), bench.sampler(greedy()), {}));
  ASSERT_TRUE(test::feed(session, std::span(ids).subspan(*read)));
  EXPECT_TRUE(session.state() == bench.session(ids).state());
}

TEST(Generate, an_id_out_of_range_changes_nothing) {
  const Bench bench;
  Session session = bench.session(bench.prompt());
  const State before = session.state();
  std::vector<int32_t> ids(1000, 5);
  ids.back() = 257;
  const auto read = test::feed(session, ids);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::argument);
  EXPECT_TRUE(session.state() == before);
}

TEST(Generate, numbers_that_are_not_finite_end_it_before_the_last_good_token) {
  const Bench bench;
  for (const int good : {1, 5, 100}) {
    const auto prompt = bench.prompt("User: Tell me a story.\n\nAssistant:");
    Session session = bench.session(prompt);
    Sampling sampling = lively(1);
    sampling.banned = {0};
    auto generation = test::start(session, bench.tokenizer.get(), bench.sampler(sampling), {});
    ASSERT_TRUE(generation);
    std::vector<int32_t> ids;
    Event event;
    for (int i = 0; i < good; ++i) {
      ASSERT_TRUE(generation->next(event));
      ids.push_back(event.id);
    }
    // The state before the pending token is overwritten, as an overflow in it would.
    const State before = session.state();
    test::set_number(session.change_state(), 100, std::nanf(""));
    const Status status = generation->next(event);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::corrupt);
    EXPECT_NE(generation->finish(), Finish::running);
    EXPECT_EQ((*generation)->read_count(), good - 1);
    EXPECT_TRUE(session.state() == before);
  }
}

TEST(Generate, id_zero_ends_the_text_and_is_not_read) {
  const Bench bench;
  // After a whole document the model ends it.
  const auto prompt = bench.prompt();
  Session session = bench.session(prompt);
  Sampling sampling = greedy();
  sampling.logit_bias = {{0, 1000}};
  auto generation = test::start(session, bench.tokenizer.get(), bench.sampler(sampling), {});
  const Result result = run(*generation);
  EXPECT_EQ(generation->finish(), Finish::end_of_text);
  EXPECT_EQ(result.text, "");
  EXPECT_TRUE(result.ids.empty());
  EXPECT_TRUE(session.state() == bench.session(prompt).state());
}

TEST(Generate, a_thought_is_told_apart_and_its_budget_closes_it) {
  const Bench bench;
  const text::Profile& g1 = *text::profile_by_name("g1");
  const text::Turn turn = text::render_turn(g1, "Tell me a story.", true, text::ThinkMode::free);
  Session session = bench.session(bench.prompt(turn.prompt.text + turn.opening));
  GenerateOptions options;
  options.max_tokens = 120;
  options.stops = {.policy = text::StopPolicy::blank_line,
                   .stop_strings = {},
                   .role_words = {},
                   .chat = true,
                   .opening = turn.opening};
  options.think_budget = 25;
  Sampling sampling = lively(2);
  sampling.banned = {0};
  auto generation = test::start(session, bench.tokenizer.get(), bench.sampler(sampling), options);
  ASSERT_TRUE(generation);
  const Result result = run(*generation);
  EXPECT_FALSE(result.thinking.empty());
  EXPECT_EQ(result.thinking.find("</think>"), std::string::npos);
  EXPECT_EQ(result.text.find("think"), std::string::npos);
  // 25 tokens of thought and the nine of "\n</think>".
  EXPECT_EQ((*generation)->thought_count(), 25 + 9);
  std::vector<int32_t> forced;
  for (const Event& event : result.events)
    if (event.forced) forced.push_back(event.id);
  EXPECT_EQ(*bench.tokenizer->decode(forced), "\n</think>");
}

TEST(Generate, logprobs_are_those_of_the_models_own_distribution) {
  const Bench bench;
  const auto prompt = bench.prompt();
  Session session = bench.session(prompt);
  const std::vector<float> logits(session.logits().begin(), session.logits().end());
  GenerateOptions options = with_stops({}, 1);
  options.logprobs = true;
  options.top_logprobs = 4;
  auto generation = test::start(session, bench.tokenizer.get(), bench.sampler(lively(2)), options);
  const Result result = run(*generation);
  const auto probability = [&](int32_t id) {
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
    return std::log(std::exp(static_cast<double>(logits[static_cast<size_t>(id)])) / sum);
  };
  const Event& event = result.events[0];
  EXPECT_NEAR(event.logprob, probability(event.id), 1e-9);
  ASSERT_EQ(event.top.size(), 4u);
  std::vector<int32_t> order(logits.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
  });
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(event.top[i].id, order[i]);
    EXPECT_NEAR(event.top[i].logprob, probability(order[i]), 1e-9);
  }
}

TEST(Generate, without_a_vocabulary_there_are_ids_and_no_text) {
  const auto model = test::open_model(test::fixture("models/tiny_v7.pth"));
  const TokenTraits traits = token_traits(model->vocab());
  Session session(model);
  const std::vector<int32_t> prompt = {1, 2, 3};
  ASSERT_TRUE(test::feed(session, prompt));
  auto sampler = Sampler::create(greedy(), traits);
  auto generation = test::start(session, nullptr, std::move(*sampler), with_stops({}, 10));
  ASSERT_TRUE(generation);
  const Result result = run(*generation);
  EXPECT_EQ(result.text, "");
  EXPECT_GT(result.ids.size(), 0u);
  auto again = Sampler::create(greedy(), traits);
  const auto refused = test::start(session, nullptr, std::move(*again), with_stops({"x"}, 10));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::argument);
}

TEST(Generate, a_long_text_costs_the_same_memory_as_a_short_one) {
  const Bench bench;
  Session session = bench.session(bench.prompt("User: Tell me a story.\n\nAssistant:"));
  Sampling sampling = lively(7);
  sampling.banned = {0};
  auto generation = test::start(session, bench.tokenizer.get(), bench.sampler(sampling),
                                with_stops({"never there"}));
  ASSERT_TRUE(generation);
  Event event;
  const auto advance = [&](int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(generation->next(event));
  };
  const auto allocations_of = [&](int count) {
    const long before = test::allocations();
    advance(count);
    return test::allocations() - before;
  };
  constexpr int kTokens = kAddressSanitizer ? 300 : 8000;
  advance(kTokens / 2);
  const uint64_t resident = resident_bytes();
  const long first = allocations_of(kTokens);
  const long second = allocations_of(kTokens);
  // Text pieces differ in length, hence not exactly equal.
  EXPECT_NEAR(static_cast<double>(second), static_cast<double>(first), 0.02 * kTokens + 20);
  EXPECT_LE(second, 3 * kTokens);
  if (!kAddressSanitizer && !test::kThreadSanitizer) {
    EXPECT_LT(resident_bytes(), resident + 2 * kTokens) << "one byte for each token";
  }
}

}  // namespace
}  // namespace skein
