// skein.hpp, compiled as C++17.
#include <gtest/gtest.h>

#include <array>
#include <skein/skein.hpp>

#include "support/bundled.h"
#include "support/fixtures.h"

namespace skein::test {
namespace {

skein::Model bundled() {
  return skein::Model((std::filesystem::path(SKEIN_SOURCE_DIR) / "models/bundled-0.pth").string());
}

template <typename Call>
sk_code code_of(Call call) {
  try {
    call();
  } catch (const skein::Error& error) {
    EXPECT_STRNE(error.what(), "");
    return error.code();
  }
  return SK_OK;
}

TEST(Facade, a_failure_is_an_error_with_code_and_sentence) {
  EXPECT_EQ(code_of([] { skein::Model(missing_file("model.pth").string()); }), SK_IO);
  skein::Options options;
  options.threads = -1;
  EXPECT_EQ(code_of([&] { skein::Model(fixture("models/v7.pth").string(), options); }),
            SK_ARGUMENT);
  skein::Model model = bundled();
  skein::State state = model.new_state();
  EXPECT_EQ(code_of([&] { model.feed(state, {999}); }), SK_ARGUMENT);
  EXPECT_EQ(code_of([&] { model.import_state(std::vector<uint8_t>(9)); }), SK_UNSUPPORTED);
  EXPECT_EQ(code_of([&] { skein::Sampler(size_t{0}); }), SK_ARGUMENT);
}

TEST(Facade, options_and_info_arrive) {
  skein::Options options;
  options.threads = 1;
  options.device = "reference";
  int64_t told = 0;
  options.progress = [&](int64_t done, int64_t) {
    told = done;
    return true;
  };
  const skein::Model model(fixture("models/v7.pth").string(), options);
  EXPECT_EQ(model.vocab(), 260u);
  EXPECT_STREQ(model.info().design, "rwkv7");
  EXPECT_GT(told, 0);
}

TEST(Facade, an_exception_of_the_progress_callback_comes_through) {
  skein::Options options;
  options.progress = [](int64_t, int64_t) -> bool { throw std::logic_error("mine"); };
  EXPECT_THROW(skein::Model(fixture("models/v7.pth").string(), options), std::logic_error);
  options.progress = [](int64_t, int64_t) { return false; };
  EXPECT_EQ(code_of([&] { skein::Model(fixture("models/v7.pth").string(), options); }), SK_IO);
}

TEST(Facade, states_are_values) {
  skein::Model model = bundled();
  skein::State state = model.new_state();
  model.feed(state, {0, 1, 2});
  skein::State copy = state;
  EXPECT_TRUE(copy == state);
  model.feed(copy, std::array<int32_t, 1>{{3}});
  EXPECT_TRUE(copy != state);
  copy = state;
  EXPECT_TRUE(copy == state);
  const skein::State moved = std::move(copy);
  EXPECT_TRUE(moved == state);
  EXPECT_EQ(moved.tokens_read(), 3u);
  EXPECT_EQ(moved.info().tokens_read, 3u);
  const skein::State back = model.import_state(moved.export_as());
  EXPECT_TRUE(back == state);
  const auto flat = moved.export_as(skein::StateFormat::f32);
  EXPECT_TRUE(model.import_state(flat, skein::StateFormat::f32) == state);
  state.reset();
  EXPECT_TRUE(state == model.new_state());
}

TEST(Facade, devices_adapters_and_tails_are_there) {
  const auto devices = skein::devices();
  ASSERT_FALSE(devices.empty());
  skein::Options options;
  options.threads = 1;
  options.device = devices[0].name;
  options.numerics = skein::Numerics::exact;
  options.sparse = skein::Sparse::off;
  const std::string path = fixture("models/v7.pth").string();
  skein::Model plain(path, options);
  options.adapters = {{fixture("models/v7.lora.pth").string(), 8}};
  skein::Model merged(path, options);
  options.adapters[0].blend = 0;
  skein::Model unchanged(path, options);
  const auto digest = [](const skein::Model& model) {
    const auto& info = model.info();
    return std::vector<uint8_t>(info.fingerprint, info.fingerprint + sizeof info.fingerprint);
  };
  EXPECT_NE(digest(merged), digest(plain));
  EXPECT_EQ(digest(unchanged), digest(plain));

  skein::State a = plain.new_state(), b = plain.new_state();
  std::vector<float> all, tail;
  const std::vector<int32_t> ids = {1, 2, 3, 4};
  plain.eval_batch({{a, ids, skein::Want::all, &all}, {b, ids, skein::Want::all, &tail, 2}});
  EXPECT_EQ(tail,
            std::vector<float>(all.end() - static_cast<ptrdiff_t>(2 * plain.vocab()), all.end()));
}

TEST(Facade, eval_batch_and_eval_agree) {
  skein::Model model = bundled();
  const std::vector<int32_t> ids = model.tokenize("some text");
  EXPECT_EQ(model.detokenize(ids), "some text");
  EXPECT_TRUE(model.tokenize("").empty());
  EXPECT_EQ(model.detokenize({}), "");
  skein::State a = model.new_state(), b = model.new_state(), c = model.new_state();
  const std::vector<float> last = model.eval(a, ids);
  const std::vector<float> all = model.eval_all(b, ids);
  ASSERT_EQ(all.size(), ids.size() * model.vocab());
  EXPECT_TRUE(
      std::equal(last.begin(), last.end(), all.end() - static_cast<ptrdiff_t>(last.size())));
  std::vector<float> batched;
  skein::State d = model.new_state();
  model.eval_batch({{c, ids, skein::Want::none, nullptr}, {d, ids, skein::Want::last, &batched}});
  EXPECT_EQ(batched, last);
  EXPECT_TRUE(a == b && b == c && c == d);
}

TEST(Facade, samplers_are_values_with_defaults) {
  skein::Sampling sampling;
  EXPECT_EQ(sampling.top_p, 0.3);
  sampling.temperature = 0;
  sampling.presence = 5;
  const std::vector<float> logits = {1, 3, 2};
  EXPECT_EQ(skein::sample(logits, sampling, 0), 1);
  skein::Sampler sampler(logits.size(), sampling);
  sampler.accept(1);
  skein::Sampler copy = sampler;
  EXPECT_EQ(copy.sample(logits, 0), 2);
  sampler.reset();
  EXPECT_EQ(sampler.sample(logits, 0), 1);
  EXPECT_EQ(copy.sample(logits, 0), 2);
  const skein::Model model = bundled();
  skein::Sampler text(model);
  EXPECT_EQ(code_of([&] { text.sample(logits, 0); }), SK_ARGUMENT);
}

}  // namespace
TEST(Facade, an_engine_turns_conversations) {
  const skein::Model model = bundled();
  skein::Engine engine(model);
  skein::Request request;
  request.messages = {{"user", "Reverse: garden"}};
  request.sampling.temperature = 0;
  skein::Generation one = engine.start(request);
  request.messages = {{"user", "What is 12+30?"}};
  skein::Generation two = engine.start(request);
  std::string texts[2];
  for (int ended = 0; ended < 2;) {
    engine.step();
    int i = 0;
    for (skein::Generation* talk : {&one, &two}) {
      skein::Event event;
      if (talk->poll(event)) {
        texts[i] += event.text;
        ended += event.finish != skein::Finish::none;
      }
      ++i;
    }
  }
  EXPECT_EQ(texts[0], BUNDLED_REVERSED);
  EXPECT_EQ(texts[1], BUNDLED_SUM);
  EXPECT_EQ(engine.active(), 0u);
  EXPECT_EQ(one.info().finish, SK_FINISH_STOP);
  EXPECT_GT(one.state().tokens_read(), 10u);
  EXPECT_EQ(code_of([&] { one.next(); }), SK_ARGUMENT);
  request.messages.clear();
  EXPECT_EQ(code_of([&] { engine.start(request); }), SK_ARGUMENT);

  const skein::Vocabulary vocabulary(model);
  EXPECT_EQ(vocabulary.detokenize(vocabulary.tokenize("Hi")), "Hi");
  EXPECT_EQ(vocabulary.token('H' + 1), "H");
  request.prompt = vocabulary.tokenize("Once");
  request.max_tokens = 5;
  skein::State fresh = model.new_state();
  const std::string alone = engine.start(request).rest();
  EXPECT_EQ(engine.start(request, fresh).rest(), alone);
  const auto file = fresh.save({}, "a text");
  EXPECT_EQ(skein::saved_text(file), "a text");
  EXPECT_TRUE(skein::saved_tokens(file).empty());
  fresh.write(one.state().read());
  EXPECT_EQ(fresh, one.state());
}

TEST(Facade, answers_are_held_to_constraints) {
  const skein::Model model = bundled();
  const skein::Vocabulary vocabulary(model);
  skein::Engine engine(model);
  const skein::Constraint choice(vocabulary, std::vector<std::string>{"yes"});
  skein::Request request;
  request.messages = {{"user", "Is snow white?"}};
  request.constraint = &choice;
  skein::Generation answer = engine.start(request);
  EXPECT_EQ(answer.rest(), "yes");
  EXPECT_EQ(answer.info().finish, static_cast<int32_t>(skein::Finish::complete));
  const skein::Constraint date(vocabulary, skein::Language::regex, "[0-9]{4}-x");
  request.messages.clear();
  request.prompt = vocabulary.tokenize("In 20");
  request.constraint = &date;
  request.constrained_text = "20";
  EXPECT_EQ(engine.start(request).rest().size(), 4u);

  skein::Matcher matcher(date);
  EXPECT_TRUE(matcher.read("1999"));
  EXPECT_EQ(matcher.forced(), vocabulary.tokenize("-x"));
  skein::Matcher fork = matcher;
  EXPECT_TRUE(fork.accept('-' + 1));
  EXPECT_FALSE(matcher.accept('x' + 1));
  EXPECT_EQ(matcher.mask()[0], uint64_t{1} << ('-' + 1));
  EXPECT_FALSE(fork.can_end());
  EXPECT_TRUE(fork.read("x") && fork.can_end() && fork.must_end());
  EXPECT_EQ(fork.text(), "1999-x");
  EXPECT_EQ(matcher.text(), "1999");
  EXPECT_EQ(code_of([&] { skein::Constraint(vocabulary, skein::Language::regex, "("); }),
            SK_ARGUMENT);
}

TEST(Facade, a_text_is_scored_token_by_token) {
  skein::Model model = bundled();
  skein::State state = model.new_state();
  const auto scores = model.score(state, model.tokenize("Reverse: garden"));
  EXPECT_EQ(scores.size(), 14u);
  for (const double score : scores) EXPECT_LT(score, 0);
  EXPECT_EQ(state.tokens_read(), 15u);
}

}  // namespace skein::test
