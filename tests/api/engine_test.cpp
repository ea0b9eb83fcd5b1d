#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

#include "api/support.h"
#include "support/bundled.h"
#include "support/thorough.h"

namespace skein::test {
namespace {

EnginePtr new_engine(const ModelPtr& model) {
  sk_engine* engine = nullptr;
  EXPECT_EQ(sk_engine_new(model.get(), nullptr, &engine), SK_OK) << sk_last_error();
  return EnginePtr(engine);
}

sk_generate_params params_of(const Ids& prompt, int64_t most = 0) {
  sk_generate_params params = {};
  params.size = sizeof params;
  params.prompt = prompt.data();
  params.prompt_count = prompt.size();
  params.max_tokens = most;
  return params;
}

GenerationPtr start(const EnginePtr& engine, const sk_generate_params& params,
                    const sk_state* state = nullptr) {
  sk_generation* generation = nullptr;
  EXPECT_EQ(sk_generation_start(engine.get(), state, &params, &generation), SK_OK)
      << sk_last_error();
  return GenerationPtr(generation);
}

struct Heard {
  Ids ids;
  std::string text;
  int32_t finish = SK_FINISH_NONE;
  int32_t code = SK_OK;
};

Heard hear(const GenerationPtr& generation) {
  Heard out;
  while (out.finish == SK_FINISH_NONE) {
    struct sk_event event = {};
    event.size = sizeof event;
    out.code = sk_generation_next(generation.get(), &event);
    if (out.code != SK_OK && event.finish == SK_FINISH_NONE) break;
    if (event.id >= 0) out.ids.push_back(event.id);
    out.text.append(event.text, event.text_size);
    out.finish = event.finish;
  }
  return out;
}

StatePtr state_of(const GenerationPtr& generation) {
  sk_state* state = nullptr;
  EXPECT_EQ(sk_generation_state(generation.get(), &state), SK_OK) << sk_last_error();
  return StatePtr(state);
}

TEST(EngineApi, a_conversation_is_answered_and_its_state_stands_for_what_was_shown) {
  const ModelPtr model = open_model(bundled_model());
  const EnginePtr engine = new_engine(model);
  const sk_message message = {"user", "Reverse: garden"};
  size_t count = 0;
  ASSERT_EQ(sk_chat_tokens(model.get(), &message, 1, nullptr, nullptr, 0, &count), SK_OK);
  Ids prompt(count);
  ASSERT_EQ(sk_chat_tokens(model.get(), &message, 1, nullptr, prompt.data(), count, &count), SK_OK);
  sk_sampling greedy = {};
  greedy.size = sizeof greedy;
  ASSERT_EQ(sk_sampling_init(&greedy), SK_OK);
  greedy.temperature = 0;
  sk_generate_params params = {};
  params.size = sizeof params;
  params.messages = &message;
  params.message_count = 1;
  params.sampling = &greedy;
  const GenerationPtr generation = start(engine, params);
  const Heard heard = hear(generation);
  EXPECT_EQ(heard.finish, SK_FINISH_STOP);
  EXPECT_EQ(heard.text, BUNDLED_REVERSED);
  struct sk_event event = {};
  event.size = sizeof event;
  EXPECT_EQ(sk_generation_next(generation.get(), &event), SK_ARGUMENT);
  struct sk_generation_info info = {};
  info.size = sizeof info;
  ASSERT_EQ(sk_generation_info(generation.get(), &info), SK_OK);
  EXPECT_EQ(info.prompt_tokens, prompt.size());
  EXPECT_EQ(info.prompt_read, prompt.size());
  EXPECT_EQ(info.tokens, heard.ids.size());
  EXPECT_EQ(info.finish, SK_FINISH_STOP);
  EXPECT_NE(info.fingerprint, 0u);
  // The blank before the answer belongs to what the model said.
  const StatePtr state = state_of(generation), again = state_of(generation);
  const StatePtr wanted = new_state(model);
  Ids all = prompt;
  all.insert(all.end(), heard.ids.begin(), heard.ids.begin() + 7);
  ASSERT_EQ(sk_eval(model.get(), wanted.get(), all.data(), all.size(), SK_WANT_NONE, nullptr, 0),
            SK_OK);
  EXPECT_TRUE(equal(state, wanted));
  EXPECT_TRUE(equal(again, wanted));
  ASSERT_EQ(sk_generation_tokens(generation.get(), nullptr, 0, &count), SK_OK);
  Ids tokens(count);
  ASSERT_EQ(sk_generation_tokens(generation.get(), tokens.data(), count, &count), SK_OK);
  EXPECT_EQ(tokens, all);
  EXPECT_EQ(tokens_read(state), all.size());
}

TEST(EngineApi, many_at_once_say_what_each_says_alone) {
  const ModelPtr model = open_model(bundled_model(), with_threads(2));
  std::vector<Ids> prompts;
  std::vector<Heard> alone;
  for (int i = 0; i < 12; ++i) {
    prompts.push_back(Ids(static_cast<size_t>(1 + 17 * i), 65 + i));
    const EnginePtr engine = new_engine(model);
    alone.push_back(hear(start(engine, params_of(prompts.back(), 40))));
  }
  const EnginePtr engine = new_engine(model);
  std::vector<GenerationPtr> all;
  for (const Ids& prompt : prompts) all.push_back(start(engine, params_of(prompt, 40)));
  std::vector<Heard> heard(all.size());
  // One thread steps, another fetches what there is.
  std::atomic<bool> over{false};
  std::thread stepping([&] {
    while (!over.load()) EXPECT_EQ(sk_engine_step(engine.get(), nullptr), SK_OK);
  });
  for (size_t ended = 0; ended < all.size();) {
    for (size_t i = 0; i < all.size(); ++i) {
      struct sk_event event = {};
      event.size = sizeof event;
      int32_t got = 0;
      ASSERT_EQ(sk_generation_poll(all[i].get(), &event, &got), SK_OK);
      if (got == 0) continue;
      if (event.id >= 0) heard[i].ids.push_back(event.id);
      heard[i].text.append(event.text, event.text_size);
      heard[i].finish = event.finish;
      ended += event.finish != SK_FINISH_NONE;
    }
    std::this_thread::yield();
  }
  over = true;
  stepping.join();
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(heard[i].ids, alone[i].ids) << i;
    EXPECT_EQ(heard[i].text, alone[i].text) << i;
    EXPECT_EQ(heard[i].finish, alone[i].finish) << i;
  }
  size_t active = 1;
  ASSERT_EQ(sk_engine_active(engine.get(), &active), SK_OK);
  EXPECT_EQ(active, 0u);
}

TEST(EngineApi, a_cancelled_one_can_go_on_and_a_freed_one_is_forgotten) {
  const ModelPtr model = open_model(v7_model());
  const EnginePtr engine = new_engine(model);
  const Ids prompt = {1, 2, 3};
  const int32_t end = 0;
  sk_sampling sampling = {};
  sampling.size = sizeof sampling;
  ASSERT_EQ(sk_sampling_init(&sampling), SK_OK);
  sampling.banned = &end;
  sampling.banned_count = 1;
  sk_generate_params params = params_of(prompt, 50);
  params.flags = SK_GENERATE_IDS | SK_GENERATE_LOGPROBS;
  params.top_logprobs = 3;
  params.sampling = &sampling;
  const Ids whole = hear(start(engine, params)).ids;
  ASSERT_EQ(whole.size(), 50u);

  const GenerationPtr generation = start(engine, params);
  sk_state* state = nullptr;
  EXPECT_EQ(sk_generation_state(generation.get(), &state), SK_ARGUMENT);
  EXPECT_EQ(sk_generation_resume(generation.get(), 5), SK_ARGUMENT);
  Ids ids;
  for (int i = 0; i < 10; ++i) {
    struct sk_event event = {};
    event.size = sizeof event;
    ASSERT_EQ(sk_generation_next(generation.get(), &event), SK_OK);
    ids.push_back(event.id);
    ASSERT_EQ(event.top_count, 3u);
    EXPECT_LE(event.logprob, event.top[0].logprob);
    EXPECT_LT(event.top[0].logprob, 0);
    EXPECT_GE(event.top[0].logprob, event.top[2].logprob);
    EXPECT_EQ(event.text_size, 0u);
  }
  ASSERT_EQ(sk_generation_cancel(generation.get()), SK_OK);
  EXPECT_EQ(hear(generation).finish, SK_FINISH_CANCELLED);
  ASSERT_EQ(sk_generation_resume(generation.get(), 40), SK_OK) << sk_last_error();
  const Heard more = hear(generation);
  EXPECT_EQ(more.finish, SK_FINISH_LENGTH);
  ids.insert(ids.end(), more.ids.begin(), more.ids.end());
  EXPECT_EQ(ids, whole);

  { const GenerationPtr dropped = start(engine, params); }
  GenerationPtr unheard = start(engine, params);
  ASSERT_EQ(sk_engine_step(engine.get(), nullptr), SK_OK);
  unheard.reset();  // its event waits, and nobody will fetch it
  ASSERT_EQ(sk_engine_step(engine.get(), nullptr), SK_OK);
  size_t active = 9;
  ASSERT_EQ(sk_engine_active(engine.get(), &active), SK_OK);
  EXPECT_EQ(active, 0u);
}

// While the step computes that reads the last of its prompt, in company.
TEST(EngineApi, a_cancel_at_the_end_of_the_prompt_can_be_resumed) {
  const ModelPtr model = open_model(bundled_model(), with_threads(2));
  const Ids prompt(300, 66), other(300, 67);
  const EnginePtr quiet = new_engine(model);
  const Ids whole = hear(start(quiet, params_of(prompt, 20))).ids;
  for (int i = 0; i < 60; i += test::thorough() ? 1 : 3) {
    const EnginePtr engine = new_engine(model);
    const GenerationPtr one = start(engine, params_of(prompt, 20));
    const GenerationPtr two = start(engine, params_of(other, 20));
    std::atomic<bool> over{false};
    std::thread stepping([&] {
      while (!over.load()) EXPECT_EQ(sk_engine_step(engine.get(), nullptr), SK_OK);
    });
    std::this_thread::sleep_for(std::chrono::microseconds(300 * i));
    EXPECT_EQ(sk_generation_cancel(one.get()), SK_OK);
    Heard heard = hear(one);
    if (heard.finish == SK_FINISH_CANCELLED) {
      ASSERT_EQ(sk_generation_resume(one.get(), 20 - static_cast<int64_t>(heard.ids.size())),
                SK_OK);
      const Heard more = hear(one);
      EXPECT_EQ(more.code, SK_OK) << sk_last_error();
      heard.ids.insert(heard.ids.end(), more.ids.begin(), more.ids.end());
    }
    over = true;
    stepping.join();
    EXPECT_EQ(heard.ids, whole) << i;
  }
}

TEST(EngineApi, generations_outlive_their_model_and_their_engine) {
  ModelPtr model = open_model(bundled_model());
  EnginePtr engine = new_engine(model);
  const Ids prompt = {65, 66};
  const GenerationPtr generation = start(engine, params_of(prompt, 5));
  model.reset();
  const GenerationPtr later = start(engine, params_of(prompt, 5));
  engine.reset();
  EXPECT_EQ(hear(generation).ids, hear(later).ids);
}

TEST(EngineApi, a_state_is_where_it_begins_and_stays_as_it_was) {
  const ModelPtr model = open_model(bundled_model());
  const EnginePtr engine = new_engine(model);
  const StatePtr state = new_state(model);
  const Ids first = {70, 71, 72}, second = {73, 74};
  ASSERT_EQ(sk_eval(model.get(), state.get(), first.data(), 3, SK_WANT_NONE, nullptr, 0), SK_OK);
  const StatePtr before = clone(state);
  const Heard split = hear(start(engine, params_of(second, 20), state.get()));
  EXPECT_TRUE(equal(state, before));
  const Ids together = {70, 71, 72, 73, 74};
  EXPECT_EQ(split.ids, hear(start(engine, params_of(together, 20))).ids);
}

TEST(EngineApi, what_makes_no_sense_is_refused_by_name) {
  const ModelPtr model = open_model(bundled_model());
  const EnginePtr engine = new_engine(model);
  const Ids prompt = {65};
  sk_generation* out = nullptr;
  const auto refused = [&](const std::function<void(sk_generate_params&)>& change,
                           const char* word) {
    sk_generate_params params = params_of(prompt);
    change(params);
    EXPECT_EQ(sk_generation_start(engine.get(), nullptr, &params, &out), SK_ARGUMENT) << word;
    EXPECT_NE(std::string(sk_last_error()).find(word), std::string::npos) << sk_last_error();
    EXPECT_EQ(out, nullptr);
  };
  const sk_message message = {"user", "x"}, strange = {"chief", "x"}, empty = {nullptr, "x"};
  const Ids beyond = {99999};
  const char* no_text[] = {nullptr};
  refused([](auto& p) { p.size = 4; }, "size");
  refused([](auto& p) { p.flags = 1u << 20; }, "flags");
  refused([](auto& p) { p.prompt_count = 0; }, "prompt");
  refused([&](auto& p) { p.messages = &message, p.message_count = 1; }, "one of them");
  refused([](auto& p) { p.prompt = nullptr; }, "prompt");
  refused([&](auto& p) { p.prompt = beyond.data(); }, "99999");
  refused([](auto& p) { p.max_tokens = -1; }, "max_tokens");
  refused([](auto& p) { p.draft = 65; }, "draft");
  refused([](auto& p) { p.top_logprobs = -1; }, "top_logprobs");
  refused([](auto& p) { p.think = "free"; }, "think");
  refused([](auto& p) { p.stop_count = 1; }, "stop");
  refused([&](auto& p) { p.stop = no_text, p.stop_count = 1; }, "stop");
  refused([](auto& p) { p.prompt_count = SIZE_MAX; }, "tokens");
  const auto talk = [&](auto& p, const sk_message& one) {
    p.prompt_count = 0, p.messages = &one, p.message_count = 1;
  };
  refused([&](auto& p) { talk(p, strange); }, "chief");
  refused([&](auto& p) { talk(p, empty); }, "role");
  refused([&](auto& p) { talk(p, message), p.think = "hard"; }, "hard");
  refused([&](auto& p) { talk(p, message), p.flags = SK_GENERATE_IDS; }, "vocabulary");
  const ModelPtr other = open_model(v7_model());
  const StatePtr state = new_state(other);
  const sk_generate_params params = params_of(prompt);
  EXPECT_EQ(sk_generation_start(engine.get(), state.get(), &params, &out), SK_MISMATCH);
  EXPECT_EQ(sk_generation_start(nullptr, nullptr, &params, &out), SK_ARGUMENT);
  EXPECT_EQ(sk_engine_step(nullptr, nullptr), SK_ARGUMENT);
  sk_engine_params strange_engine = {};
  strange_engine.size = sizeof strange_engine;
  strange_engine.patience = std::nan("");
  sk_engine* none = nullptr;
  EXPECT_EQ(sk_engine_new(model.get(), &strange_engine, &none), SK_ARGUMENT);
  sk_generation_free(nullptr);
  sk_engine_free(nullptr);
}

// What they are is tests/run's affair; here, that it does not matter how they are asked for.
TEST(HiddenApi, gives_the_same_rows_however_a_text_is_cut) {
  for (const std::string& path : {bundled_model(), v7_model()}) {
    const ModelPtr model = open_model(path, with_threads(2));
    struct sk_model_info info = {};
    info.size = sizeof info;
    ASSERT_EQ(sk_model_info(model.get(), &info), SK_OK);
    const auto width = static_cast<size_t>(info.width), vocab = static_cast<size_t>(info.vocab);
    Ids ids(600);  // more than a pass
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>((i * 31 + 3) % vocab);
    const StatePtr state = new_state(model), whole = new_state(model), pieces = new_state(model);
    std::vector<float> all(ids.size() * width), logits(vocab);
    ASSERT_EQ(sk_eval_hidden(model.get(), state.get(), ids.data(), ids.size(), SK_WANT_ALL,
                             all.data(), all.size()),
              SK_OK)
        << sk_last_error();
    ASSERT_EQ(sk_eval(model.get(), whole.get(), ids.data(), ids.size(), SK_WANT_LAST, logits.data(),
                      vocab),
              SK_OK);
    EXPECT_TRUE(equal(state, whole));
    std::vector<float> last(width);
    for (size_t at = 0; at < ids.size(); at += 150) {
      ASSERT_EQ(sk_eval_hidden(model.get(), pieces.get(), ids.data() + at, 150, SK_WANT_LAST,
                               last.data(), width),
                SK_OK);
      EXPECT_EQ(last, std::vector<float>(all.begin() + static_cast<int64_t>((at + 149) * width),
                                         all.begin() + static_cast<int64_t>((at + 150) * width)));
    }
    EXPECT_TRUE(equal(pieces, whole));

    EXPECT_EQ(sk_eval_hidden(model.get(), state.get(), ids.data(), 2, SK_WANT_ALL, all.data(),
                             2 * width - 1),
              SK_ARGUMENT);
    EXPECT_EQ(sk_eval_hidden(model.get(), state.get(), ids.data(), 2, SK_WANT_LAST, nullptr, width),
              SK_ARGUMENT);
    const int32_t beyond[] = {1, 1 << 30};
    EXPECT_EQ(sk_eval_hidden(model.get(), state.get(), beyond, 2, SK_WANT_LAST, all.data(), width),
              SK_ARGUMENT);
    EXPECT_TRUE(equal(state, whole));
  }
}

TEST(ScoreApi, is_the_log_probability_of_each_next_token) {
  for (const std::string& path : {bundled_model(), v7_model()}) {
    const ModelPtr model = open_model(path, with_threads(2));
    const size_t vocab = vocab_of(model);
    for (const size_t count : {1u, 2u, 64u, 65u, 200u}) {
      Ids ids(count);
      for (size_t i = 0; i < count; ++i) ids[i] = static_cast<int32_t>((i * 31 + 3) % vocab);
      const StatePtr state = new_state(model), whole = new_state(model);
      std::vector<double> got(count - 1);
      Bytes best(count - 1, 7);
      ASSERT_EQ(sk_score(model.get(), state.get(), ids.data(), count, got.data(), best.data()),
                SK_OK)
          << sk_last_error();
      std::vector<float> logits(count * vocab);
      ASSERT_EQ(sk_eval(model.get(), whole.get(), ids.data(), count, SK_WANT_ALL, logits.data(),
                        logits.size()),
                SK_OK);
      EXPECT_TRUE(equal(state, whole));
      for (size_t i = 0; i + 1 < count; ++i) {
        const float* row = logits.data() + i * vocab;
        const auto largest = std::max_element(row, row + vocab);
        double sum = 0;
        for (size_t j = 0; j < vocab; ++j) sum += std::exp(static_cast<double>(row[j]) - *largest);
        const float logit = row[ids[i + 1]];
        EXPECT_NEAR(got[i], static_cast<double>(logit) - *largest - std::log(sum), 1e-9) << i;
        EXPECT_EQ(best[i], logit == *largest ? 1 : 0) << i;
      }
    }
    const StatePtr state = new_state(model);
    const int32_t beyond[] = {1, 1 << 30};
    double one = 0;
    EXPECT_EQ(sk_score(model.get(), state.get(), beyond, 2, &one, nullptr), SK_ARGUMENT);
    EXPECT_EQ(sk_score(model.get(), state.get(), beyond, 0, nullptr, nullptr), SK_ARGUMENT);
    EXPECT_EQ(sk_score(model.get(), state.get(), beyond, 2, nullptr, nullptr), SK_ARGUMENT);
    EXPECT_EQ(tokens_read(state), 0u);
  }
}

TEST(StateNumbers, go_out_and_come_back) {
  const ModelPtr model = open_model(v7_model());
  const StatePtr state = new_state(model), other = new_state(model);
  const Ids ids = {1, 2, 3, 4};
  ASSERT_EQ(sk_eval(model.get(), state.get(), ids.data(), 4, SK_WANT_NONE, nullptr, 0), SK_OK);
  struct sk_state_info info = {};
  info.size = sizeof info;
  ASSERT_EQ(sk_state_info(state.get(), &info), SK_OK);
  std::vector<float> numbers(info.numbers);
  ASSERT_EQ(sk_state_read(state.get(), numbers.data(), numbers.size()), SK_OK);
  size_t size = 0;
  std::vector<float> exported(numbers.size());
  ASSERT_EQ(sk_state_export(state.get(), SK_STATE_F32, exported.data(), exported.size() * 4, &size),
            SK_OK);
  EXPECT_EQ(numbers, exported);
  ASSERT_EQ(sk_state_write(other.get(), numbers.data(), numbers.size()), SK_OK);
  EXPECT_TRUE(equal(other, state));
  EXPECT_EQ(tokens_read(other), 0u);
  EXPECT_EQ(sk_state_read(state.get(), numbers.data(), numbers.size() - 1), SK_ARGUMENT);
  EXPECT_EQ(sk_state_write(other.get(), numbers.data(), numbers.size() + 1), SK_ARGUMENT);
  numbers[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(sk_state_write(other.get(), numbers.data(), numbers.size()), SK_CORRUPT);
  EXPECT_TRUE(equal(other, state));
}

TEST(StateNumbers, a_saved_state_holds_its_tokens_and_its_text) {
  const ModelPtr model = open_model(v7_model());
  const StatePtr state = new_state(model);
  const Ids ids = {5, 6, 7, 8, 9};
  ASSERT_EQ(sk_eval(model.get(), state.get(), ids.data(), 2, SK_WANT_NONE, nullptr, 0), SK_OK);
  ASSERT_EQ(sk_eval(model.get(), state.get(), ids.data() + 2, 3, SK_WANT_NONE, nullptr, 0), SK_OK);
  const std::string text = "a \0 text";
  size_t size = 0, count = 0;
  ASSERT_EQ(sk_state_save(state.get(), ids.data(), 5, text.data(), text.size(), nullptr, 0, &size),
            SK_OK);
  Bytes file(size);
  EXPECT_EQ(sk_state_save(state.get(), ids.data(), 5, text.data(), text.size(), file.data(),
                          size - 1, &size),
            SK_ARGUMENT);
  ASSERT_EQ(sk_state_save(state.get(), ids.data(), 5, text.data(), text.size(), file.data(),
                          file.size(), &size),
            SK_OK);
  EXPECT_EQ(size, file.size());
  sk_state* back = nullptr;
  ASSERT_EQ(sk_state_import(model.get(), SK_STATE_NATIVE, file.data(), size, &back), SK_OK);
  const StatePtr loaded(back);
  EXPECT_TRUE(equal(loaded, state));
  Ids tokens(5);
  ASSERT_EQ(sk_saved_tokens(file.data(), size, tokens.data(), 5, &count), SK_OK);
  EXPECT_EQ(tokens, ids);
  std::string words(text.size(), '?');
  ASSERT_EQ(sk_saved_text(file.data(), size, words.data(), words.size(), &count), SK_OK);
  EXPECT_EQ(words, text);
  // Not what it has read.
  EXPECT_EQ(sk_state_save(state.get(), ids.data(), 4, nullptr, 0, nullptr, 0, &size), SK_ARGUMENT);
  const Ids others = {5, 6, 7, 9, 8};
  EXPECT_EQ(sk_state_save(state.get(), others.data(), 5, nullptr, 0, nullptr, 0, &size),
            SK_ARGUMENT);
  EXPECT_EQ(sk_state_save(state.get(), ids.data(), 5, text.data(), SIZE_MAX, nullptr, 0, &size),
            SK_ARGUMENT);
  // Nothing was told, damage, another format.
  ASSERT_EQ(sk_state_export(state.get(), SK_STATE_NATIVE, nullptr, 0, &size), SK_OK);
  Bytes bare(size);
  ASSERT_EQ(sk_state_export(state.get(), SK_STATE_NATIVE, bare.data(), size, &size), SK_OK);
  ASSERT_EQ(sk_saved_tokens(bare.data(), size, nullptr, 0, &count), SK_OK);
  EXPECT_EQ(count, 0u);
  bare[size / 2] ^= 1;
  EXPECT_EQ(sk_saved_tokens(bare.data(), size, nullptr, 0, &count), SK_CORRUPT);
  EXPECT_EQ(sk_saved_text("no state", 8, nullptr, 0, &count), SK_UNSUPPORTED);
}

TEST(VocabApi, is_the_models_and_needs_none) {
  VocabPtr vocab;
  {
    const ModelPtr model = open_model(bundled_model());
    sk_vocab* out = nullptr;
    ASSERT_EQ(sk_vocab_of(model.get(), &out), SK_OK) << sk_last_error();
    vocab.reset(out);
  }
  size_t size = 0, count = 0;
  ASSERT_EQ(sk_vocab_size(vocab.get(), &size), SK_OK);
  EXPECT_EQ(size, 257u);
  Ids ids(2);
  ASSERT_EQ(sk_vocab_tokenize(vocab.get(), "Hi", 2, ids.data(), 2, &count), SK_OK);
  EXPECT_EQ(ids, (Ids{'H' + 1, 'i' + 1}));
  char text[2];
  ASSERT_EQ(sk_vocab_detokenize(vocab.get(), ids.data(), 2, text, 2, &count), SK_OK);
  EXPECT_EQ(std::string(text, 2), "Hi");
  const char* token = nullptr;
  int32_t special = -1;
  ASSERT_EQ(sk_vocab_token(vocab.get(), ids[0], &token, &count, &special), SK_OK);
  EXPECT_EQ(std::string(token, count), "H");
  EXPECT_EQ(special, 0);
  EXPECT_EQ(sk_vocab_token(vocab.get(), 257, &token, &count, &special), SK_ARGUMENT);
  EXPECT_EQ(sk_vocab_token(vocab.get(), -1, &token, &count, nullptr), SK_ARGUMENT);
  sk_vocab* none = nullptr;
  EXPECT_EQ(sk_vocab_open("/no/such/file", &none), SK_IO);
  EXPECT_EQ(sk_vocab_open(bundled_model().c_str(), &none), SK_CORRUPT);
  EXPECT_EQ(none, nullptr);
}

}  // namespace
}  // namespace skein::test
