// Drawing tokens through the C API. What the sampler keeps and how it draws is tests/sampler's;
// here it is that every option arrives and that every wrong one is refused.
#include <cmath>
#include <limits>
#include <map>

#include "api/support.h"

namespace skein::test {
namespace {

sk_sampling defaults() {
  sk_sampling sampling;
  std::memset(&sampling, 0xee, sizeof sampling);
  sampling.size = sizeof sampling;
  EXPECT_EQ(sk_sampling_init(&sampling), SK_OK) << sk_last_error();
  return sampling;
}

// Everything may be drawn by its probability.
sk_sampling open_minded() {
  sk_sampling sampling = defaults();
  sampling.top_p = 1;
  sampling.presence = sampling.frequency = 0;
  return sampling;
}

int32_t draw(const std::vector<float>& logits, const sk_sampling& sampling, uint64_t position = 0) {
  int32_t id = -1;
  EXPECT_EQ(sk_sample(logits.data(), logits.size(), &sampling, position, &id), SK_OK)
      << sk_last_error();
  return id;
}

// How often each id is drawn at 400 positions.
std::map<int32_t, int> counts(const std::vector<float>& logits, const sk_sampling& sampling) {
  std::map<int32_t, int> out;
  for (uint64_t position = 0; position < 400; ++position) ++out[draw(logits, sampling, position)];
  return out;
}

SamplerPtr sampler_for(size_t vocab, const sk_sampling& sampling) {
  sk_sampler* out = nullptr;
  EXPECT_EQ(sk_sampler_new_for_ids(vocab, &sampling, &out), SK_OK) << sk_last_error();
  return SamplerPtr(out);
}

int32_t draw(const SamplerPtr& sampler, const std::vector<float>& logits, uint64_t position = 0) {
  int32_t id = -1;
  EXPECT_EQ(sk_sampler_sample(sampler.get(), logits.data(), logits.size(), position, &id), SK_OK)
      << sk_last_error();
  return id;
}

const std::vector<float> kLogits = {1.0f, 3.0f, 2.0f, 2.9f, -1.0f};

TEST(ApiSampling, init_fills_in_what_the_header_says) {
  const sk_sampling s = defaults();
  EXPECT_EQ(s.order, SK_ORDER_RWKV);
  EXPECT_EQ(s.temperature, 1);
  EXPECT_EQ(s.top_p, 0.3);
  EXPECT_EQ(s.min_p, 0);
  EXPECT_EQ(s.typical_p, 1);
  EXPECT_EQ(s.top_k, 0);
  EXPECT_EQ(s.mirostat, 0);
  EXPECT_EQ(s.mirostat_tau, 5);
  EXPECT_EQ(s.mirostat_eta, 0.1);
  EXPECT_EQ(s.presence, 0.5);
  EXPECT_EQ(s.frequency, 0.5);
  EXPECT_EQ(s.penalty_decay, 0.996);
  EXPECT_EQ(s.repetition, 1);
  EXPECT_EQ(s.penalty_style, SK_PENALTY_SKEIN);
  EXPECT_EQ(s.reserved, 0u);
  EXPECT_EQ(s.seed, 0u);
  EXPECT_EQ(s.logit_bias, nullptr);
  EXPECT_EQ(s.logit_bias_count, 0u);
  EXPECT_EQ(s.banned, nullptr);
  EXPECT_EQ(s.banned_count, 0u);
}

TEST(ApiSampling, null_stands_for_the_defaults) {
  const sk_sampling sampling = defaults();
  for (uint64_t position = 0; position < 50; ++position) {
    int32_t id = -1;
    ASSERT_EQ(sk_sample(kLogits.data(), kLogits.size(), nullptr, position, &id), SK_OK);
    EXPECT_EQ(id, draw(kLogits, sampling, position));
  }
}

TEST(ApiSampling, greedy_takes_the_largest_and_of_equals_the_lowest_id) {
  sk_sampling sampling = open_minded();
  sampling.temperature = 0;
  EXPECT_EQ(draw(kLogits, sampling), 1);
  EXPECT_EQ(draw({2, 5, 5}, sampling), 1);
}

TEST(ApiSampling, every_option_arrives) {
  EXPECT_EQ(counts(kLogits, open_minded()).size(), 5u);
  sk_sampling s = open_minded();
  s.top_k = 2;
  EXPECT_EQ(counts(kLogits, s).size(), 2u);
  s = open_minded();
  s.top_p = 0.5;
  EXPECT_EQ(counts(kLogits, s).size(), 2u);
  s = open_minded();
  s.min_p = 0.3;
  EXPECT_EQ(counts(kLogits, s).size(), 3u);
  s = open_minded();
  s.typical_p = 0.3;
  EXPECT_LT(counts(kLogits, s).size(), 5u);
  s = open_minded();
  s.mirostat = 2;
  s.mirostat_tau = 0.5;  // nothing more surprising than one bit
  EXPECT_LT(counts(kLogits, s).size(), 5u);
  s = open_minded();
  const int32_t banned[] = {1, 3};
  s.banned = banned;
  s.banned_count = 2;
  EXPECT_EQ(counts(kLogits, s).count(1), 0u);
  EXPECT_EQ(counts(kLogits, s).count(3), 0u);
  s = open_minded();
  const sk_logit_bias bias[] = {{4, 0, 100.0}, {1, 0, -INFINITY}};
  s.logit_bias = bias;
  s.logit_bias_count = 2;
  EXPECT_EQ(counts(kLogits, s), (std::map<int32_t, int>{{4, 400}}));
  // A temperature that flattens everything makes top-p keep more when it comes first.
  s = open_minded();
  s.temperature = 100;
  s.top_p = 0.7;
  const size_t rwkv = counts(kLogits, s).size();
  s.order = SK_ORDER_OPENAI;
  EXPECT_LT(rwkv, counts(kLogits, s).size());
}

TEST(ApiSampling, seed_and_position_decide) {
  sk_sampling a = open_minded(), b = open_minded();
  b.seed = 1;
  std::string from_a, again, from_b;
  for (uint64_t position = 0; position < 64; ++position) {
    from_a += std::to_string(draw(kLogits, a, position));
    again += std::to_string(draw(kLogits, a, position));
    from_b += std::to_string(draw(kLogits, b, position));
  }
  EXPECT_EQ(from_a, again);
  EXPECT_NE(from_a, from_b);
}

TEST(ApiSampling, what_makes_no_sense_is_an_argument_error) {
  int32_t id = -7;
  const auto code = [&](auto change) {
    sk_sampling s = open_minded();
    change(s);
    return sk_sample(kLogits.data(), kLogits.size(), &s, 0, &id);
  };
  const int32_t bad_ids[] = {5}, negative[] = {-1};
  const sk_logit_bias bad_bias[] = {{5, 0, 1.0}}, nan_bias[] = {{1, 0, NAN}},
                      set_bias[] = {{1, 1, 1.0}};
  EXPECT_EQ(code([](sk_sampling& s) { s.size = 0; }), SK_ARGUMENT);
  EXPECT_EQ(code([](sk_sampling& s) { s.size = 100'000; }), SK_ARGUMENT);
  EXPECT_EQ(code([](sk_sampling& s) { s.order = 2; }), SK_ARGUMENT);
  EXPECT_EQ(code([](sk_sampling& s) { s.penalty_style = 4; }), SK_ARGUMENT);
  EXPECT_EQ(code([](sk_sampling& s) { s.reserved = 1; }), SK_ARGUMENT);
  EXPECT_EQ(code([](sk_sampling& s) { s.temperature = -1; }), SK_ARGUMENT);
  EXPECT_EQ(code([](sk_sampling& s) { s.temperature = NAN; }), SK_ARGUMENT);
  EXPECT_EQ(code([](sk_sampling& s) { s.top_p = -0.1; }), SK_ARGUMENT);
  EXPECT_EQ(code([](sk_sampling& s) { s.top_k = -1; }), SK_ARGUMENT);
  const struct {
    double sk_sampling::*number;
    double least, most;
  } ranges[] = {{&sk_sampling::temperature, 0, 1000}, {&sk_sampling::top_p, 0, 1},
                {&sk_sampling::min_p, 0, 1},          {&sk_sampling::typical_p, 0, 1},
                {&sk_sampling::mirostat_tau, 0, 100}, {&sk_sampling::mirostat_eta, 0, 1},
                {&sk_sampling::presence, -100, 100},  {&sk_sampling::frequency, -100, 100},
                {&sk_sampling::penalty_decay, 0, 1},  {&sk_sampling::repetition, 0.01, 100}};
  for (const auto& range : ranges) {
    const auto with = [&](double value) {
      return code([&](sk_sampling& s) { s.*range.number = value; });
    };
    EXPECT_EQ(with(range.least), SK_OK) << range.least;
    EXPECT_EQ(with(range.most), SK_OK) << range.most;
    for (const double wrong : {range.least - 0.001, range.most + 0.001, 1e9, -1e9, double{NAN},
                               double{INFINITY}, -double{INFINITY}})
      EXPECT_EQ(with(wrong), SK_ARGUMENT) << wrong;
  }
  id = -7;
  EXPECT_EQ(code([](sk_sampling& s) { s.mirostat = 1; }), SK_ARGUMENT);
  EXPECT_EQ(code([](sk_sampling& s) { s.banned_count = 1; }), SK_ARGUMENT);
  EXPECT_EQ(code([](sk_sampling& s) { s.logit_bias_count = 1; }), SK_ARGUMENT);
  EXPECT_EQ(code([&](sk_sampling& s) { s.banned = bad_ids, s.banned_count = 1; }), SK_ARGUMENT);
  EXPECT_EQ(code([&](sk_sampling& s) { s.banned = negative, s.banned_count = 1; }), SK_ARGUMENT);
  EXPECT_EQ(code([&](sk_sampling& s) { s.banned = bad_ids, s.banned_count = SIZE_MAX; }),
            SK_ARGUMENT);
  EXPECT_EQ(code([&](sk_sampling& s) { s.logit_bias = bad_bias, s.logit_bias_count = 1; }),
            SK_ARGUMENT);
  EXPECT_EQ(code([&](sk_sampling& s) { s.logit_bias = nan_bias, s.logit_bias_count = 1; }),
            SK_ARGUMENT);
  EXPECT_EQ(code([&](sk_sampling& s) { s.logit_bias = set_bias, s.logit_bias_count = 1; }),
            SK_ARGUMENT);
  EXPECT_EQ(code([&](sk_sampling& s) { s.logit_bias = bad_bias, s.logit_bias_count = SIZE_MAX; }),
            SK_ARGUMENT);

  const float one = 1;
  EXPECT_EQ(sk_sample(nullptr, 1, nullptr, 0, &id), SK_ARGUMENT);
  EXPECT_EQ(sk_sample(&one, 1, nullptr, 0, nullptr), SK_ARGUMENT);
  EXPECT_EQ(sk_sample(&one, 0, nullptr, 0, &id), SK_ARGUMENT);
  EXPECT_EQ(sk_sample(&one, SIZE_MAX, nullptr, 0, &id), SK_ARGUMENT);
  EXPECT_EQ(sk_sampling_init(nullptr), SK_ARGUMENT);
  sk_sampling unset = {};
  EXPECT_EQ(sk_sampling_init(&unset), SK_ARGUMENT);
  EXPECT_EQ(unset.temperature, 0);
  EXPECT_EQ(id, -7) << "a failed call leaves its outputs alone";
}

TEST(ApiSampling, broken_logits_are_the_fault_of_whoever_made_them) {
  int32_t id = -7;
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    const float logits[] = {1, bad, 2};
    EXPECT_EQ(sk_sample(logits, 3, nullptr, 0, &id), SK_CORRUPT);
  }
  const float none[] = {-INFINITY, -INFINITY};
  EXPECT_EQ(sk_sample(none, 2, nullptr, 0, &id), SK_CORRUPT);
  EXPECT_EQ(id, -7);
}

TEST(ApiSampler, remembers_for_the_penalties_until_it_is_reset) {
  sk_sampling sampling = open_minded();
  sampling.temperature = 0;
  sampling.presence = 0.5;
  const SamplerPtr sampler = sampler_for(kLogits.size(), sampling);
  EXPECT_EQ(draw(sampler, kLogits), 1);
  EXPECT_EQ(draw(sampler, kLogits), 1) << "drawing alone is not remembered";
  ASSERT_EQ(sk_sampler_accept(sampler.get(), 1), SK_OK);
  EXPECT_EQ(draw(sampler, kLogits), 3);
  ASSERT_EQ(sk_sampler_reset(sampler.get()), SK_OK);
  EXPECT_EQ(draw(sampler, kLogits), 1);
}

TEST(ApiSampler, a_clone_remembers_the_same_and_goes_its_own_way) {
  sk_sampling sampling = open_minded();
  sampling.temperature = 0;
  sampling.presence = 0.5;
  const SamplerPtr sampler = sampler_for(kLogits.size(), sampling);
  ASSERT_EQ(sk_sampler_accept(sampler.get(), 1), SK_OK);
  sk_sampler* raw = nullptr;
  ASSERT_EQ(sk_sampler_clone(sampler.get(), &raw), SK_OK);
  const SamplerPtr copy(raw);
  EXPECT_EQ(draw(copy, kLogits), 3);
  ASSERT_EQ(sk_sampler_accept(copy.get(), 3), SK_OK);
  EXPECT_EQ(draw(copy, kLogits), 1);
  EXPECT_EQ(draw(sampler, kLogits), 3);
}

TEST(ApiSampler, without_penalties_draws_what_the_stateless_function_draws) {
  const SamplerPtr sampler = sampler_for(kLogits.size(), open_minded());
  for (uint64_t position = 0; position < 100; ++position)
    EXPECT_EQ(draw(sampler, kLogits, position), draw(kLogits, open_minded(), position));
}

TEST(ApiSampler, of_a_model_spares_digits_and_of_bare_ids_nothing) {
  const ModelPtr model = open_model(bundled_model());
  const size_t vocab = vocab_of(model);
  sk_sampling sampling = open_minded();
  sampling.temperature = 0;
  sampling.presence = 0.5;
  std::vector<float> logits(vocab, 0.0f);
  const int32_t digit = '7' + 1;
  logits[static_cast<size_t>(digit)] = 3;
  logits['x' + 1] = 2.9f;
  sk_sampler* raw = nullptr;
  ASSERT_EQ(sk_sampler_new(model.get(), &sampling, &raw), SK_OK) << sk_last_error();
  const SamplerPtr text(raw);
  const SamplerPtr bare = sampler_for(vocab, sampling);
  for (const SamplerPtr* sampler : {&text, &bare})
    ASSERT_EQ(sk_sampler_accept(sampler->get(), digit), SK_OK);
  EXPECT_EQ(draw(text, logits), digit);
  EXPECT_EQ(draw(bare, logits), 'x' + 1);
}

TEST(ApiSampler, bad_calls_are_refused) {
  const SamplerPtr sampler = sampler_for(5, open_minded());
  sk_sampler* out = nullptr;
  int32_t id = -7;
  EXPECT_EQ(sk_sampler_accept(sampler.get(), 5), SK_ARGUMENT);
  EXPECT_EQ(sk_sampler_accept(sampler.get(), -1), SK_ARGUMENT);
  EXPECT_EQ(sk_sampler_accept(nullptr, 0), SK_ARGUMENT);
  EXPECT_EQ(sk_sampler_reset(nullptr), SK_ARGUMENT);
  EXPECT_EQ(sk_sampler_sample(sampler.get(), kLogits.data(), 4, 0, &id), SK_ARGUMENT);
  EXPECT_EQ(sk_sampler_sample(sampler.get(), nullptr, 5, 0, &id), SK_ARGUMENT);
  EXPECT_EQ(sk_sampler_sample(sampler.get(), kLogits.data(), 5, 0, nullptr), SK_ARGUMENT);
  EXPECT_EQ(sk_sampler_sample(nullptr, kLogits.data(), 5, 0, &id), SK_ARGUMENT);
  EXPECT_EQ(sk_sampler_new(nullptr, nullptr, &out), SK_ARGUMENT);
  EXPECT_EQ(sk_sampler_new_for_ids(0, nullptr, &out), SK_ARGUMENT);
  EXPECT_EQ(sk_sampler_new_for_ids(SIZE_MAX, nullptr, &out), SK_ARGUMENT);
  EXPECT_EQ(sk_sampler_new_for_ids(5, nullptr, nullptr), SK_ARGUMENT);
  EXPECT_EQ(sk_sampler_clone(nullptr, &out), SK_ARGUMENT);
  EXPECT_EQ(sk_sampler_clone(sampler.get(), nullptr), SK_ARGUMENT);
  const ModelPtr model = open_model(bundled_model());
  EXPECT_EQ(sk_sampler_new(model.get(), nullptr, nullptr), SK_ARGUMENT);
  EXPECT_EQ(id, -7);
  EXPECT_EQ(out, nullptr);
}

}  // namespace
}  // namespace skein::test
