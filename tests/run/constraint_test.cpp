// Answers that are held to a grammar: what is drawn, what is not even drawn, and what the state has
// read afterwards.
#include <gtest/gtest.h>

#include "constrain/answer.h"
#include "constrain/regex.h"
#include "run/generate.h"
#include "support/bundled.h"
#include "support/engine.h"
#include "support/models.h"
#include "support/states.h"
#include "support/thorough.h"
#include "text/template.h"

namespace skein {
namespace {

using constrain::Grammar;
using constrain::Matcher;
using constrain::Term;

const char* const kQuestion = "User: Reverse: garden\n\nAssistant:";
const char* const kSchema =
    R"({"type":"object","properties":{"name":{"type":"string","maxLength":8},
        "count":{"type":"integer","minimum":0,"maximum":999},
        "kind":{"enum":["long one","long two"]}},
        "required":["name","count","kind"],"additionalProperties":false})";

struct Bench {
  std::shared_ptr<Model> model =
      test::open_model(std::filesystem::path(SKEIN_SOURCE_DIR) / "models" / "bundled-0.pth");
  text::TokenizerPtr tokenizer = text::byte_tokenizer_257();
  std::shared_ptr<const constrain::Words> words =
      std::make_shared<const constrain::Words>(tokenizer);
  TokenTraits traits =
      token_traits(model->vocab(), [this](int32_t id) { return tokenizer->bytes_of(id); });

  std::vector<int32_t> prompt(const std::string& text = kQuestion) const {
    std::vector<int32_t> ids = *tokenizer->encode(text);
    ids.insert(ids.begin(), 0);
    return ids;
  }
  Session session() const {
    Session out(model);
    EXPECT_TRUE(test::feed(out, prompt()));
    return out;
  }
  Sampler sampler(const Sampling& sampling) const {
    auto made = Sampler::create(sampling, traits);
    EXPECT_TRUE(made);
    return std::move(*made);
  }
  template <typename Add>
  Matcher matcher(Add add) const {
    Grammar grammar;
    auto root = add(grammar);
    EXPECT_TRUE(root) << (root ? "" : root.error()[0].message);
    grammar.root = root.value_or(Term::none);
    auto made = constrain::Constraint::make(std::move(grammar), words);
    EXPECT_TRUE(made) << (made ? "" : made.error()[0].message);
    return Matcher(*made);
  }
  Matcher schema(std::string_view json = kSchema) const {
    return matcher([&](Grammar& grammar) { return constrain::add_schema(grammar, json); });
  }
  Matcher regex(std::string_view pattern) const {
    return matcher([&](Grammar& grammar) {
      return constrain::add_regex(grammar, pattern, constrain::RegexDialect::re2);
    });
  }
};

Sampling hot(uint64_t seed) {
  Sampling out;
  out.temperature = 2;
  out.top_p = 1;
  out.presence = out.frequency = 0.4;
  out.seed = seed;
  return out;
}

struct Result {
  std::string text, thinking;
  std::vector<int32_t> ids;
  size_t forced = 0;
};

Result run(const test::Solo& generation) {
  Result out;
  Event event;
  for (event.finish = generation.finish(); event.finish == Finish::running;) {
    const Status status = generation.next(event);
    EXPECT_TRUE(status) << (status ? "" : status.error().message);
    out.text += event.text;
    out.thinking += event.thinking;
    if (event.id >= 0) out.ids.push_back(event.id);
    if (event.id >= 0) {
      EXPECT_EQ(event.count, static_cast<int64_t>(out.ids.size()));
    }
    out.forced += event.forced ? 1 : 0;
  }
  // Events that came with the last one.
  while (generation->take(event)) ADD_FAILURE() << "an event behind the last one";
  return out;
}

GenerateOptions held_to(const Matcher& matcher, int64_t limit = 400) {
  GenerateOptions options;
  options.constraint = matcher;
  options.max_tokens = limit;
  return options;
}

TEST(Constraint, answers_are_valid_at_any_heat) {
  const Bench bench;
  const Matcher matcher = bench.schema();
  for (uint64_t seed = 0; seed < (test::thorough() ? 200u : 20u); ++seed) {
    Session session = bench.session();
    auto generation =
        test::start(session, bench.tokenizer.get(), bench.sampler(hot(seed)), held_to(matcher));
    ASSERT_TRUE(generation);
    const Result answer = run(*generation);
    ASSERT_EQ(generation->finish(), Finish::complete) << answer.text;
    const auto json = parse_json(answer.text, 1 << 20);
    ASSERT_TRUE(json) << answer.text;
    EXPECT_TRUE(json->find("name").string()) << answer.text;
    int64_t count = -1;
    EXPECT_TRUE(json->find("count").integer(count) && count >= 0 && count <= 999) << answer.text;
    EXPECT_TRUE(json->find("kind").string()->starts_with("long ")) << answer.text;
    EXPECT_GT(answer.forced, 20u);
  }
}

// Forced tokens are read in one pass, or one by one where their probabilities are asked for, or as
// guesses: it is the same answer, and the state is that of the whole text.
TEST(Constraint, tokens_and_state_do_not_depend_on_how_forced_tokens_are_read) {
  const Bench bench;
  const Matcher matcher = bench.schema();
  for (uint64_t seed = 0; seed < 5; ++seed) {
    std::vector<Result> answers;
    for (const int kind : {0, 1, 2, 3}) {
      Session session = bench.session();
      PromptLookup lookup;
      GenerateOptions options = held_to(matcher);
      options.logprobs = kind == 1;
      options.all_logits = kind == 3;
      if (kind == 2) {
        for (const int32_t id : bench.prompt()) lookup.push(id);
        options.drafter = &lookup;
        options.draft_cost = 0.01;
      }
      auto generation =
          test::start(session, bench.tokenizer.get(), bench.sampler(hot(seed)), options);
      ASSERT_TRUE(generation);
      answers.push_back(run(*generation));
      EXPECT_EQ(answers.back().ids, answers.front().ids) << seed << ", " << kind;
      EXPECT_LT((*generation)->read_count(), (*generation)->count());
      ASSERT_TRUE(generation->settle());
      std::vector<int32_t> all = bench.prompt();
      all.insert(all.end(), answers.back().ids.begin(), answers.back().ids.end());
      Session other(bench.model);
      ASSERT_TRUE(test::feed(other, all));
      EXPECT_EQ(test::numbers(session.state()), test::numbers(other.state()))
          << seed << ", " << kind;
    }
  }
}

TEST(Constraint, an_answer_that_can_go_on_ends_where_the_model_ends_it) {
  const Bench bench;
  int ended = 0;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    Session session = bench.session();
    Sampling sampling = hot(seed);
    sampling.logit_bias = {{0, 6}};  // the end, which is drawn only where the answer may end
    auto generation = test::start(session, bench.tokenizer.get(), bench.sampler(sampling),
                                  held_to(bench.regex("[0-9]{3}[a-z]*"), 20));
    ASSERT_TRUE(generation);
    const Result answer = run(*generation);
    EXPECT_GE(answer.text.size(), 3u);
    EXPECT_EQ(answer.text.find_first_not_of("0123456789"), answer.text.size() > 3 ? 3u : SIZE_MAX);
    ended += generation->finish() == Finish::end_of_text ? 1 : 0;
  }
  EXPECT_GT(ended, 0);
}

TEST(Constraint, what_has_only_one_text_asks_the_model_nothing) {
  const Bench bench;
  Session session = bench.session();
  const uint64_t read = session.state().tokens_read();
  auto generation = test::start(session, bench.tokenizer.get(), bench.sampler(hot(1)),
                                held_to(bench.regex("nothing else will do")));
  ASSERT_TRUE(generation);
  EXPECT_EQ(run(*generation).text, "nothing else will do");
  EXPECT_EQ(generation->finish(), Finish::complete);
  EXPECT_EQ(session.state().tokens_read(), read);
}

TEST(Constraint, an_answer_that_was_cut_goes_on_as_if_it_had_not_been) {
  const Bench bench;
  const Matcher matcher = bench.schema();
  Session whole = bench.session();
  auto uncut = test::start(whole, bench.tokenizer.get(), bench.sampler(hot(9)), held_to(matcher));
  ASSERT_TRUE(uncut);
  const Result expected = run(*uncut);
  for (int64_t cut = 1; cut < static_cast<int64_t>(expected.ids.size()); ++cut) {
    Session session = bench.session();
    auto generation =
        test::start(session, bench.tokenizer.get(), bench.sampler(hot(9)), held_to(matcher, cut));
    ASSERT_TRUE(generation);
    Result answer = run(*generation);
    ASSERT_EQ(generation->finish(), Finish::length);
    ASSERT_EQ(answer.ids.size(), static_cast<size_t>(cut));
    (*generation)->resume(-1);
    Event event;
    while (event.finish == Finish::running) {
      ASSERT_TRUE(generation->next(event));
      if (event.id >= 0) answer.ids.push_back(event.id);
    }
    EXPECT_EQ(answer.ids, expected.ids) << cut;
  }
}

TEST(Constraint, a_thought_comes_first_and_is_free) {
  const Bench bench;
  for (const auto& [opening, answer] : std::vector<std::pair<std::string, std::string>>{
           {" <think", "yes|no"}, {" <think>\n</think", "yes|no"}, {"", "yes|no"}}) {
    const Matcher matcher = bench.matcher([&](Grammar& grammar) {
      return constrain::add_regex(grammar, "yes|no", constrain::RegexDialect::re2).map([&](Term t) {
        return constrain::after(grammar, {.opening = opening}, t);
      });
    });
    Session session = bench.session();
    ASSERT_TRUE(test::feed(session, *bench.tokenizer->encode(opening)));
    GenerateOptions options = held_to(matcher);
    options.stops.chat = true;
    options.stops.opening = opening;
    options.think_budget = 12;
    auto generation = test::start(session, bench.tokenizer.get(), bench.sampler(hot(4)), options);
    ASSERT_TRUE(generation);
    const Result result = run(*generation);
    EXPECT_EQ(generation->finish(), Finish::complete);
    EXPECT_TRUE(result.text == "yes" || result.text == "no") << result.text;
    EXPECT_EQ(result.thinking.empty(), opening != " <think") << result.thinking;
  }
}

TEST(Constraint, without_a_vocabulary_there_is_none) {
  const Bench bench;
  Session session = bench.session();
  const auto generation =
      test::start(session, nullptr, bench.sampler(hot(1)), held_to(bench.regex("a")));
  ASSERT_FALSE(generation);
  EXPECT_EQ(generation.error().code, Code::argument);
}

}  // namespace
}  // namespace skein
