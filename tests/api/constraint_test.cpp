// Constraints through the C API: in generations, and for who draws by himself.
#include <set>

#include "api/support.h"

namespace skein::test {
namespace {

const std::string kSchema =
    R"({"type":"object","properties":{"n":{"type":"integer","minimum":0,"maximum":999},)"
    R"("a":{"enum":["x","yy"]}},"required":["n","a"]})";

sk_constraint_params wanted(int32_t language, std::string_view text) {
  sk_constraint_params params = {};
  params.size = sizeof params;
  params.language = language;
  params.text = text.data();
  params.text_size = text.size();
  return params;
}

class Constraints : public testing::Test {
 protected:
  Constraints() {
    sk_vocab* vocab = nullptr;
    EXPECT_EQ(sk_vocab_of(model_.get(), &vocab), SK_OK) << sk_last_error();
    vocab_.reset(vocab);
    sk_engine* engine = nullptr;
    EXPECT_EQ(sk_engine_new(model_.get(), nullptr, &engine), SK_OK) << sk_last_error();
    engine_.reset(engine);
    sampling_.size = sizeof sampling_;
    EXPECT_EQ(sk_sampling_init(&sampling_), SK_OK);
    sampling_.temperature = 2;
    sampling_.top_p = 1;
    params_.size = sizeof params_;
    params_.prompt = prompt_.data();
    params_.prompt_count = prompt_.size();
    params_.sampling = &sampling_;
  }

  ConstraintPtr made(const sk_constraint_params& params) {
    sk_constraint* out = nullptr;
    EXPECT_EQ(sk_constraint_new(vocab_.get(), &params, &out), SK_OK) << sk_last_error();
    return ConstraintPtr(out);
  }
  std::string problem(const sk_constraint_params& params, int32_t code) {
    sk_constraint* out = nullptr;
    EXPECT_EQ(sk_constraint_new(vocab_.get(), &params, &out), code);
    EXPECT_EQ(out, nullptr);
    sk_constraint_free(out);
    return sk_last_error();
  }
  GenerationPtr start(const sk_state* state = nullptr) {
    sk_generation* out = nullptr;
    EXPECT_EQ(sk_generation_start(engine_.get(), state, &params_, &out), SK_OK) << sk_last_error();
    return GenerationPtr(out);
  }
  int32_t refused() {
    sk_generation* out = nullptr;
    const int32_t code = sk_generation_start(engine_.get(), nullptr, &params_, &out);
    sk_generation_free(out);
    return code;
  }
  struct Heard {
    std::string text;
    int32_t finish = SK_FINISH_NONE;
    size_t forced = 0;
  };
  static Heard hear(const GenerationPtr& generation) {
    Heard out;
    while (out.finish == SK_FINISH_NONE) {
      struct sk_event event = {};
      event.size = sizeof event;
      EXPECT_EQ(sk_generation_next(generation.get(), &event), SK_OK) << sk_last_error();
      if (event.size == 0 || testing::Test::HasFailure()) break;
      out.text.append(event.text, event.text_size);
      out.finish = event.finish;
      out.forced += event.forced != 0;
    }
    return out;
  }

  const ModelPtr model_ = open_model(bundled_model());
  VocabPtr vocab_;
  EnginePtr engine_;
  const Ids prompt_ = {0, 80, 111};
  sk_sampling sampling_ = {};
  sk_generate_params params_ = {};
};

TEST_F(Constraints, a_generation_says_what_is_allowed) {
  const char* choices[] = {"yes", "no"};
  sk_constraint_params choice = wanted(SK_LANGUAGE_CHOICES, "");
  choice.choices = choices;
  choice.choice_count = 2;
  for (const auto& [params, allowed] :
       std::vector<std::pair<sk_constraint_params, std::set<std::string>>>{
           {wanted(SK_LANGUAGE_REGEX, "a{2}(b|c)"), {"aab", "aac"}},
           {wanted(SK_LANGUAGE_GRAMMAR, "root ::= \"a\" [bc]"), {"ab", "ac"}},
           {wanted(SK_LANGUAGE_KBNF, "start ::= 'a' ('b' | 'c');"), {"ab", "ac"}},
           {choice, {"yes", "no"}}}) {
    const ConstraintPtr constraint = made(params);
    params_.constraint = constraint.get();
    for (sampling_.seed = 0; sampling_.seed < 4; ++sampling_.seed) {
      const Heard heard = hear(start());
      EXPECT_TRUE(allowed.contains(heard.text)) << heard.text;
      EXPECT_EQ(heard.finish, SK_FINISH_COMPLETE);
    }
  }
}

TEST_F(Constraints, an_answer_to_messages_is_of_the_schema_in_the_spelling_that_is_asked_for) {
  sk_constraint_params params = wanted(SK_LANGUAGE_SCHEMA, kSchema);
  params.whitespace = SK_WHITESPACE_COMPACT;
  ConstraintPtr constraint = made(params);
  const sk_message message = {"user", "Make one"};
  params_.prompt = nullptr;
  params_.prompt_count = 0;
  params_.messages = &message;
  params_.message_count = 1;
  params_.constraint = constraint.get();
  for (sampling_.seed = 0; sampling_.seed < 4; ++sampling_.seed) {
    const GenerationPtr generation = start();
    if (sampling_.seed == 0) constraint.reset();  // it is not needed any more
    const Heard heard = hear(generation);
    EXPECT_TRUE(heard.text.starts_with("{\"n\":")) << heard.text;
    EXPECT_TRUE(heard.text.ends_with(",\"a\":\"x\"}") || heard.text.ends_with(",\"a\":\"yy\"}"))
        << heard.text;
    EXPECT_GT(heard.forced, 0u);
    if (!constraint) constraint = made(params);
    params_.constraint = constraint.get();
  }
}

TEST_F(Constraints, a_text_goes_on_under_its_constraint_resumed_or_from_its_state) {
  const ConstraintPtr constraint = made(wanted(SK_LANGUAGE_REGEX, "([ab]{3}-){4}"));
  params_.constraint = constraint.get();
  sampling_.presence = sampling_.frequency = 0;  // these remember more than a state does
  const std::string whole = hear(start()).text;
  EXPECT_EQ(whole.size(), 16u);

  params_.max_tokens = 6;
  const GenerationPtr cut = start();
  const Heard first = hear(cut);
  EXPECT_EQ(first.finish, SK_FINISH_LENGTH);
  EXPECT_EQ(sk_generation_resume(cut.get(), 0), SK_OK) << sk_last_error();
  EXPECT_EQ(first.text + hear(cut).text, whole);

  const GenerationPtr kept = start();
  EXPECT_EQ(hear(kept).text, first.text);
  sk_state* state = nullptr;
  ASSERT_EQ(sk_generation_state(kept.get(), &state), SK_OK) << sk_last_error();
  const StatePtr owned(state);
  const Ids next = {static_cast<unsigned char>(whole[6]) + 1};
  params_.prompt = next.data();
  params_.prompt_count = 1;
  params_.max_tokens = 0;
  const std::string begun = whole.substr(0, 7);
  params_.constrained_text = begun.data();
  params_.constrained_size = begun.size();
  const Heard rest = hear(start(owned.get()));
  EXPECT_EQ(rest.finish, SK_FINISH_COMPLETE);
  sk_matcher* out = nullptr;
  ASSERT_EQ(sk_matcher_new(constraint.get(), &out), SK_OK);
  const MatcherPtr matcher(out);
  const std::string both = begun + rest.text;
  int32_t accepted = 0, must = 0;
  ASSERT_EQ(sk_matcher_read(out, both.data(), both.size(), &accepted), SK_OK);
  ASSERT_EQ(sk_matcher_end(out, nullptr, &must), SK_OK);
  EXPECT_TRUE(accepted == 1 && must == 1) << both;
}

TEST_F(Constraints, what_is_wrong_is_told_with_its_place) {
  EXPECT_TRUE(
      problem(wanted(SK_LANGUAGE_SCHEMA, R"({"properties":{"a":{"type":"strin"}}})"), SK_ARGUMENT)
          .starts_with("#/properties/a/type: "));
  EXPECT_TRUE(
      problem(wanted(SK_LANGUAGE_SCHEMA, R"({"oneOf":[{"type":"integer"},{"type":"number"}]})"),
              SK_UNSUPPORTED)
          .starts_with("#/oneOf: "));
  EXPECT_TRUE(problem(wanted(SK_LANGUAGE_GRAMMAR, "root ::= a\na ::= item"), SK_ARGUMENT)
                  .starts_with("2:"));
  EXPECT_TRUE(problem(wanted(SK_LANGUAGE_REGEX, "(a"), SK_ARGUMENT).starts_with("1:"));
  problem(wanted(SK_LANGUAGE_REGEX, ""), SK_ARGUMENT);
  problem(wanted(SK_LANGUAGE_OBJECT, "{}"), SK_ARGUMENT);
  problem(wanted(SK_LANGUAGE_CHOICES, ""), SK_ARGUMENT);
  problem(wanted(99, "a"), SK_ARGUMENT);
  sk_constraint_params params = wanted(SK_LANGUAGE_SCHEMA, kSchema);
  params.flags = 1u << 20;
  problem(params, SK_ARGUMENT);
  params.flags = 0;
  params.whitespace = 9;
  problem(params, SK_ARGUMENT);
  params.whitespace = 0;
  params.size = 8;
  problem(params, SK_ARGUMENT);
}

TEST_F(Constraints, a_generation_refuses_what_does_not_fit_it) {
  const ConstraintPtr constraint = made(wanted(SK_LANGUAGE_REGEX, "abc"));
  params_.constraint = constraint.get();
  params_.constrained_text = "x";
  params_.constrained_size = 1;
  EXPECT_EQ(refused(), SK_ARGUMENT);
  params_.constrained_text = "ab";
  params_.constrained_size = 2;
  EXPECT_EQ(hear(start()).text, "c");
  params_.flags = SK_GENERATE_IDS;
  EXPECT_EQ(refused(), SK_ARGUMENT);
  params_.flags = 0;
  params_.constraint = nullptr;
  EXPECT_EQ(refused(), SK_ARGUMENT);
}

TEST_F(Constraints, one_of_another_vocabulary_is_a_mismatch) {
  SK_NEEDS_SHARED("data/rwkv_vocab_v20230424.txt");
  sk_vocab* world = nullptr;
  ASSERT_EQ(sk_vocab_open(shared_file("data/rwkv_vocab_v20230424.txt").string().c_str(), &world),
            SK_OK);
  const VocabPtr owned(world);
  const sk_constraint_params params = wanted(SK_LANGUAGE_REGEX, "abc");
  sk_constraint* out = nullptr;
  ASSERT_EQ(sk_constraint_new(world, &params, &out), SK_OK) << sk_last_error();
  const ConstraintPtr constraint(out);
  params_.constraint = out;
  EXPECT_EQ(refused(), SK_MISMATCH);
}

TEST_F(Constraints, who_draws_by_himself_asks_what_may_come) {
  const ConstraintPtr constraint = made(wanted(SK_LANGUAGE_REGEX, "ab?(cd)?"));
  sk_matcher* out = nullptr;
  ASSERT_EQ(sk_matcher_new(constraint.get(), &out), SK_OK);
  const MatcherPtr matcher(out);
  const auto allowed = [](sk_matcher* of) {
    size_t count = 0;
    EXPECT_EQ(sk_matcher_mask(of, nullptr, 0, &count), SK_OK) << sk_last_error();
    std::vector<uint64_t> bits(count);
    EXPECT_EQ(sk_matcher_mask(of, bits.data(), bits.size(), &count), SK_OK) << sk_last_error();
    std::string text;
    for (int id = 1; id <= 256; ++id)
      if (bits[static_cast<size_t>(id) / 64] >> id % 64 & 1) text += static_cast<char>(id - 1);
    return text;
  };
  const auto end = [](sk_matcher* of) {
    int32_t can = -1, must = -1;
    EXPECT_EQ(sk_matcher_end(of, &can, &must), SK_OK);
    return 10 * can + must;
  };
  EXPECT_EQ(allowed(out), "a");
  EXPECT_EQ(end(out), 0);
  int32_t ids[4];
  size_t count = 0;
  ASSERT_EQ(sk_matcher_forced(out, ids, 4, &count), SK_OK);
  ASSERT_EQ(count, 1u);
  EXPECT_EQ(ids[0], 'a' + 1);
  int32_t accepted = -1;
  ASSERT_EQ(sk_matcher_accept(out, 'b' + 1, &accepted), SK_OK);
  EXPECT_EQ(accepted, 0);
  ASSERT_EQ(sk_matcher_accept(out, 'a' + 1, &accepted), SK_OK);
  EXPECT_EQ(accepted, 1);
  EXPECT_EQ(allowed(out), "bc");
  EXPECT_EQ(end(out), 10);
  sk_matcher* forked = nullptr;
  ASSERT_EQ(sk_matcher_clone(out, &forked), SK_OK);
  const MatcherPtr fork(forked);
  ASSERT_EQ(sk_matcher_read(forked, "cd", 2, &accepted), SK_OK);
  EXPECT_EQ(accepted, 1);
  EXPECT_EQ(end(forked), 11);
  EXPECT_EQ(allowed(forked), "");
  EXPECT_EQ(allowed(out), "bc");
  const char* text = nullptr;
  size_t size = 0;
  ASSERT_EQ(sk_matcher_text(forked, &text, &size), SK_OK);
  EXPECT_EQ(std::string(text, size), "acd");
  EXPECT_EQ(sk_matcher_accept(nullptr, 1, &accepted), SK_ARGUMENT);
  EXPECT_EQ(sk_matcher_accept(out, 1 << 20, &accepted), SK_OK);
  EXPECT_EQ(accepted, 0);
}

}  // namespace
}  // namespace skein::test
