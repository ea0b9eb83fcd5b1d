#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "run/sampler.h"

namespace skein {
namespace {

// 0 end, 1 "a", 2 "b", 3 "12" (a run of pip's digits), 4 "21" (not one), 5 " ", 6 "c".
TokenTraits vocabulary() {
  return token_traits(7, [](int32_t id) -> std::string_view {
    constexpr std::string_view kTexts[] = {"", "a", "b", "12", "21", " ", "c"};
    return kTexts[id];
  });
}

Sampling with(PenaltyStyle style) {
  Sampling out;
  out.top_p = 1;
  out.presence = 0.5;
  out.frequency = 0.25;
  out.penalty_decay = 0.5;
  out.penalty_style = style;
  return out;
}

// What each logit lost after `ids` were accepted, read off the probabilities of equal logits; token
// 6 is never accepted and is the measure.
std::vector<double> lost(const Sampling& sampling, const std::vector<int32_t>& ids,
                         float logit = 0) {
  const TokenTraits tokens = vocabulary();
  Sampler sampler = *Sampler::create(sampling, tokens);
  for (const int32_t id : ids) sampler.accept(id);
  const Candidates kept = *sampler.distribution(std::vector<float>(7, logit));
  std::vector<double> probability(7);
  for (const Candidate& c : kept) probability[static_cast<size_t>(c.id)] = c.probability;
  std::vector<double> out;
  for (const double p : probability) out.push_back(std::log(probability[6] / p));
  return out;
}

void expect_lost(const std::vector<double>& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-6) << "token " << i;
}

// Accepted: a, b, a, "12", "21", " ". The counts before each acceptance are halved.
const std::vector<int32_t> kTurn = {1, 2, 1, 3, 4, 5};

TEST(Penalty, skein_exempts_digits_and_blanks_from_both_parts) {
  // a: 1 -> .5 -> 1.25 -> .625 -> .3125 -> .15625; b: 1 -> .5 -> .25 -> .125 -> .0625
  const double a = 0.5 + 0.15625 * 0.25;
  const double b = 0.5 + 0.0625 * 0.25;
  expect_lost(lost(with(PenaltyStyle::skein), kTurn), {0, a, b, 0, 0, 0, 0});
}

TEST(Penalty, pip_lets_exempt_text_pay_presence_and_counts_21) {
  const double a = 0.5 + 0.15625 * 0.25;
  const double b = 0.5 + 0.0625 * 0.25;
  const double twelve = 0.5;
  const double twenty_one = 0.5 + 0.5 * 0.25;
  const double blank = 0.5;
  expect_lost(lost(with(PenaltyStyle::rwkv_pip), kTurn), {0, a, b, twelve, twenty_one, blank, 0});
}

TEST(Penalty, ai00_adds_presence_once_and_frequency_later_and_all_decays) {
  // a: .5 -> .25 -> .125 + .25 = .375 -> .1875 -> .09375 -> .046875
  // b: .5 -> .25 -> .125 -> .0625 -> .03125; "12": .5 -> .25 -> .125; "21": .5 -> .25; " ": .5
  expect_lost(lost(with(PenaltyStyle::ai00), kTurn), {0, 0.046875, 0.03125, 0.125, 0.25, 0.5, 0});
}

TEST(Penalty, openai_counts_without_decay_or_exemption) {
  expect_lost(lost(with(PenaltyStyle::openai), kTurn), {0, 1.0, 0.75, 0.75, 0.75, 0.75, 0});
}

TEST(Penalty, pip_arithmetic_is_f32_subtraction_of_a_double_penalty) {
  // The logit 16777216 - 0.75 has no f32; the nearest even one is 16777215 (0.75 rounds up to 1).
  Sampling s = with(PenaltyStyle::rwkv_pip);
  const TokenTraits tokens = vocabulary();
  Sampler sampler = *Sampler::create(s, tokens);
  sampler.accept(1);
  std::vector<float> logits(7, 16777215.0f);
  logits[1] = 16777216.0f;
  const Candidates kept = *sampler.distribution(logits);
  EXPECT_EQ(kept[0].id, 0);
  EXPECT_EQ(kept[0].probability, kept[1].probability);
}

TEST(Penalty, presence_stays_for_the_whole_turn_and_counts_fade_to_nothing) {
  Sampling s = with(PenaltyStyle::skein);
  s.penalty_decay = 0.9;
  const TokenTraits tokens = vocabulary();
  Sampler sampler = *Sampler::create(s, tokens);
  sampler.accept(1);
  for (int i = 0; i < 20000; ++i) sampler.accept(2);
  ASSERT_EQ(sampler.memory().seen.size(), 2u);
  EXPECT_EQ(sampler.memory().seen[0].weight, 0.0);
  EXPECT_NEAR(sampler.memory().seen[1].weight, 10.0, 1e-9);  // 1 / (1 - 0.9)
  const Candidates kept = *sampler.distribution(std::vector<float>(7));
  const auto faded =
      std::find_if(kept.begin(), kept.end(), [](const Candidate& c) { return c.id == 1; });
  EXPECT_NEAR(std::log(kept[0].probability / faded->probability), 0.5, 1e-6);
}

TEST(Penalty, repetition_divides_positive_logits_and_multiplies_negative_ones) {
  Sampling s = with(PenaltyStyle::openai);
  s.presence = 0;
  s.frequency = 0;
  s.repetition = 2;
  expect_lost(lost(s, {1, 1, 2}, 3.0f), {0, 1.5, 1.5, 0, 0, 0, 0});
  expect_lost(lost(s, {1, 1, 2}, -3.0f), {0, 3, 3, 0, 0, 0, 0});
  // Beyond f32 it stops at the largest number, so that a token is discouraged and not banned.
  const TokenTraits tokens = vocabulary();
  Sampler sampler = *Sampler::create(s, tokens);
  for (int32_t id = 0; id < 7; ++id) sampler.accept(id);
  EXPECT_EQ(sampler.distribution(std::vector<float>(7, -3e38f))->size(), 7u);
}

TEST(Penalty, a_new_turn_begins_without_penalties) {
  const TokenTraits tokens = vocabulary();
  Sampler sampler = *Sampler::create(with(PenaltyStyle::skein), tokens);
  const SamplerMemory fresh = sampler.memory();
  for (const int32_t id : kTurn) sampler.accept(id);
  EXPECT_FALSE(sampler.memory() == fresh);
  sampler.begin_turn();
  EXPECT_TRUE(sampler.memory() == fresh);
  sampler.accept(2);
  ASSERT_EQ(sampler.memory().seen.size(), 1u);
  EXPECT_EQ(sampler.memory().seen[0].id, 2);
}

// The tokens that a sampler with penalties and mirostat draws and accepts from `position` on.
std::vector<int32_t> continued(Sampler& sampler, uint64_t position) {
  std::vector<int32_t> out;
  for (; out.size() < 40; ++position) {
    std::vector<float> logits(7);
    for (size_t i = 0; i < 7; ++i) logits[i] = static_cast<float>((position * 7 + i * 3) % 5);
    out.push_back(*sampler.sample(logits, position));
    sampler.accept(out.back());
  }
  return out;
}

TEST(Penalty, a_restored_memory_continues_as_if_nothing_had_happened) {
  const TokenTraits tokens = vocabulary();
  for (const PenaltyStyle style :
       {PenaltyStyle::skein, PenaltyStyle::rwkv_pip, PenaltyStyle::ai00, PenaltyStyle::openai})
    for (const int mirostat : {0, 2}) {
      Sampling s = with(style);
      s.mirostat = mirostat;
      Sampler one = *Sampler::create(s, tokens);
      continued(one, 0);
      Sampler two = *Sampler::create(s, tokens);
      two.accept(3);
      ASSERT_TRUE(two.restore(one.memory()).has_value());
      EXPECT_EQ(continued(one, 40), continued(two, 40));
      EXPECT_TRUE(one.memory() == two.memory());
    }
}

TEST(Penalty, a_memory_that_does_not_fit_is_refused_and_changes_nothing) {
  const TokenTraits tokens = vocabulary();
  Sampler sampler = *Sampler::create(with(PenaltyStyle::skein), tokens);
  sampler.accept(1);
  const SamplerMemory before = sampler.memory();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const SamplerMemory& bad : {SamplerMemory{{{7, 1.0}}, 0}, SamplerMemory{{{-1, 1.0}}, 0},
                                   SamplerMemory{{{2, 1.0}, {2, 1.0}}, 0},
                                   SamplerMemory{{{2, nan}}, 0}, SamplerMemory{{}, nan}}) {
    const Status status = sampler.restore(bad);
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code, Code::argument);
    EXPECT_TRUE(sampler.memory() == before);
  }
}

TEST(Penalty, exemptions_are_read_from_the_text) {
  const TokenTraits tokens = vocabulary();
  EXPECT_EQ(tokens.exempt, (std::vector<uint8_t>{0, 0, 0, 1, 1, 1, 0}));
  EXPECT_EQ((std::vector<uint8_t>(tokens.pip_exempt.begin() + 1, tokens.pip_exempt.end())),
            (std::vector<uint8_t>{0, 0, 1, 0, 1, 0}));
}

}  // namespace
}  // namespace skein
