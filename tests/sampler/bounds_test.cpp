// Drawing from logits between bounds: the same tokens as from the logits themselves.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "run/sampler.h"
#include "support/random.h"
#include "support/thorough.h"

namespace skein {
namespace {

using test::Random;

// Rows whose exact logits are handed out group by group.
class Row {
 public:
  explicit Row(int32_t vocab)
      : exact_(static_cast<size_t>(vocab)),
        bounds_(vocab, 1,
                [this](const float*, std::span<const int32_t> groups, float* logits) -> Status {
                  if (fails) return fail(Code::io, "the file is gone");
                  for (const int32_t group : groups)
                    for (size_t i = static_cast<size_t>(group) * ops::kLogitGroup;
                         i < std::min<size_t>((static_cast<size_t>(group) + 1) * ops::kLogitGroup,
                                              exact_.size());
                         ++i)
                      logits[i] = exact_[i];
                  return {};
                }) {}

  std::vector<float>& exact() { return exact_; }
  // As exact() is now: off by anything up to `error`, often by all of it.
  LogitBounds& bounds(Random& random, float error) {
    const ops::RoughLogits rough = bounds_.begin();
    for (size_t i = 0; i < exact_.size(); ++i) {
      const float most = error * random.uniform(0.3f, 1);
      const float off = std::clamp(random.uniform(-1.5f, 1.5f), -1.0f, 1.0f) * most;
      rough.about[i] = exact_[i] + off;
      // What the addition rounded is part of the error.
      rough.error[i] =
          std::fabs(rough.about[i] - exact_[i]) * 1.000001f + (off == most ? 0 : most - most / 8);
    }
    return bounds_;
  }

  bool fails = false;

 private:
  std::vector<float> exact_;
  LogitBounds bounds_;
};

// From one likely token to none, with ties.
void fill(Random& random, float spread, std::vector<float>& logits) {
  for (float& x : logits) {
    float sum = 0;
    for (int i = 0; i < 4; ++i) sum += random.uniform(-1, 1);
    x = std::round(sum * spread * 64) / 64;
  }
}

Sampling with(auto change) {
  Sampling out;
  out.top_p = 1;
  out.presence = out.frequency = 0;
  change(out);
  return out;
}

struct Case {
  const char* name;
  Sampling sampling;
};

std::vector<Case> cases() {
  return {
      {"greedy", with([](Sampling& s) { s.temperature = 0; })},
      {"greedy, penalties", with([](Sampling& s) {
         s.temperature = 0;
         s.presence = 0.7;
         s.frequency = 0.4;
         s.repetition = 1.3;
       })},
      {"chat", Sampling()},
      {"chat, hot", with([](Sampling& s) {
         s.temperature = 1.7;
         s.top_p = 0.6;
         s.presence = 0.5;
       })},
      {"top-p", with([](Sampling& s) { s.top_p = 0.9; })},
      {"top-p, openai", with([](Sampling& s) {
         s.order = SampleOrder::openai;
         s.temperature = 0.4;
         s.top_p = 0.8;
       })},
      {"nearly cold", with([](Sampling& s) {
         s.order = SampleOrder::openai;
         s.temperature = 1e-7;
         s.top_p = 0.8;
       })},
      {"top-p 0", with([](Sampling& s) { s.top_p = 0; })},
      {"top-k 1", with([](Sampling& s) { s.top_k = 1; })},
      {"top-k 20", with([](Sampling& s) { s.top_k = 20; })},
      {"top-k without a limit", with([](Sampling& s) { s.top_k = INT32_MAX; })},
      {"both", with([](Sampling& s) {
         s.top_k = 30;
         s.top_p = 0.5;
       })},
      {"min-p", with([](Sampling& s) { s.min_p = 0.1; })},
      {"all three", with([](Sampling& s) {
         s.top_k = 50;
         s.top_p = 0.95;
         s.min_p = 0.02;
       })},
      {"bias and bans", with([](Sampling& s) {
         s.top_p = 0.7;
         s.logit_bias = {{3, 4.0}, {5, -std::numeric_limits<double>::infinity()}, {590, 2.5}};
         s.banned = {7, 8, 9};
       })},
      {"typical", with([](Sampling& s) { s.typical_p = 0.8; })},
      {"mirostat", with([](Sampling& s) { s.mirostat = 2; })},
      {"everything", with([](Sampling&) {})},
  };
}

TEST(SampleBounds, thousands_of_positions_of_each_kind_are_those_of_exact_logits) {
  constexpr int32_t kVocab = 600;  // not whole groups
  const uint64_t positions = test::thorough() ? 10'000 : 2'500;
  const TokenTraits traits = token_traits(kVocab);
  Random random(17);
  std::vector<std::vector<float>> rows(48, std::vector<float>(kVocab));
  for (size_t i = 0; i < rows.size(); ++i)
    fill(random, i % 3 == 0 ? 6.0f : i % 3 == 1 ? 2.0f : 0.3f, rows[i]);
  for (const Case& each : cases()) {
    auto dense = Sampler::create(each.sampling, traits);
    auto bounded = Sampler::create(each.sampling, traits);
    ASSERT_TRUE(dense && bounded);
    Row row(kVocab);
    for (uint64_t position = 0; position < positions; ++position) {
      if (position % 500 == 0) {
        dense->begin_turn();
        bounded->begin_turn();
      }
      const auto& values = rows[position % rows.size()];
      std::rotate_copy(values.begin(),
                       values.begin() + static_cast<int64_t>(position * 37 % kVocab), values.end(),
                       row.exact().begin());
      const auto expected = dense->sample(row.exact(), position);
      const float error = position % 2 == 0 ? 0.05f : 0.6f;
      const auto drawn = bounded->sample(row.bounds(random, error), position);
      ASSERT_TRUE(expected && drawn) << each.name;
      ASSERT_EQ(*expected, *drawn) << each.name << ", position " << position;
      dense->accept(*expected);
      bounded->accept(*drawn);
      ASSERT_TRUE(dense->memory() == bounded->memory()) << each.name;
    }
  }
}

// One bit for each token: all, most, few or a single one.
std::vector<uint64_t> random_mask(Random& random, size_t vocab) {
  std::vector<uint64_t> out((vocab + 63) / 64);
  const uint64_t share = random.below(4);
  if (share == 0) {
    const uint64_t id = random.below(vocab);
    out[id / 64] |= uint64_t{1} << id % 64;
    return out;
  }
  for (uint64_t& word : out) word = share == 3 ? ~uint64_t{0} : random.next();
  for (uint64_t& word : out)
    for (int i = 0; share == 1 && i < 4; ++i) word &= random.next();
  out[0] |= 16;
  return out;
}

// With everything else at work: bounds, penalties, bias, cuts.
TEST(SampleBounds, what_is_not_allowed_counts_as_minus_infinity_before_anything_is_cut) {
  constexpr int32_t kVocab = 600;
  const TokenTraits traits = token_traits(kVocab);
  Random random(18);
  for (const Case& each : cases()) {
    auto dense = Sampler::create(each.sampling, traits);
    auto masked = Sampler::create(each.sampling, traits);
    auto bounded = Sampler::create(each.sampling, traits);
    SamplerWork work;
    Row row(kVocab);
    for (uint64_t position = 0; position < 1000; ++position) {
      fill(random, position % 2 == 0 ? 4.0f : 0.5f, row.exact());
      const std::vector<uint64_t> mask = random_mask(random, kVocab);
      std::vector<float> cut = row.exact();
      for (size_t id = 0; id < cut.size(); ++id)
        if ((mask[id / 64] >> id % 64 & 1) == 0) cut[id] = -std::numeric_limits<float>::infinity();
      const auto expected = dense->sample(cut, position);
      const auto drawn = masked->sample(row.exact(), position, work, mask);
      const auto narrowed = bounded->sample(row.bounds(random, 0.3f), position, work, mask);
      ASSERT_EQ(expected.has_value(), drawn.has_value()) << each.name;
      ASSERT_EQ(expected.has_value(), narrowed.has_value()) << each.name;
      if (!expected) continue;
      ASSERT_EQ(*expected, *drawn) << each.name << ", position " << position;
      ASSERT_EQ(*expected, *narrowed) << each.name << ", position " << position;
      for (auto* sampler : {&dense, &masked, &bounded}) (*sampler)->accept(*expected);
    }
  }
}

TEST(SampleBounds, few_allowed_tokens_are_all_that_is_made_exact) {
  constexpr int32_t kVocab = 65536;
  const TokenTraits traits = token_traits(kVocab);
  Random random(19);
  std::vector<uint64_t> mask(kVocab / 64);
  for (const size_t id : {17u, 18u, 4000u, 65'535u}) mask[id / 64] |= uint64_t{1} << id % 64;
  for (const Case& each : cases()) {
    auto sampler = Sampler::create(each.sampling, traits);
    Row row(kVocab);
    fill(random, 1, row.exact());
    SamplerWork work;
    LogitBounds& bounds = row.bounds(random, 0.1f);
    ASSERT_TRUE(sampler->sample(bounds, 1, work, mask)) << each.name;
    EXPECT_EQ(bounds.exact_groups(), 3) << each.name;
  }
}

TEST(SampleBounds, nothing_makes_a_token_that_is_not_allowed_possible) {
  constexpr int32_t kVocab = 100;
  const TokenTraits traits = token_traits(kVocab);
  std::vector<float> logits(kVocab, 0);
  logits[7] = 1e30f;
  Sampling biased;
  biased.logit_bias = {{7, 1e6}};
  auto sampler = Sampler::create(biased, traits);
  std::vector<uint64_t> mask = {uint64_t{1} << 3 | uint64_t{1} << 9, 0};
  SamplerWork work;
  for (uint64_t position = 0; position < 100; ++position) {
    const auto drawn = sampler->sample(logits, position, work, mask);
    ASSERT_TRUE(drawn && (*drawn == 3 || *drawn == 9));
    sampler->accept(*drawn);
  }
  biased.banned = {3, 9};
  const auto drawn = Sampler::create(biased, traits)->sample(logits, 0, work, mask);
  ASSERT_FALSE(drawn);
  EXPECT_EQ(drawn.error().code, Code::argument);
  EXPECT_NE(drawn.error().message.find("the constraint allows"), std::string::npos);
}

TEST(SampleBounds, a_peaked_row_is_decided_by_few_groups) {
  constexpr int32_t kVocab = 65536;
  const TokenTraits traits = token_traits(kVocab);
  Row row(kVocab);
  Random random(4);
  for (const Case& each : cases()) {
    auto sampler = Sampler::create(each.sampling, traits);
    fill(random, 1, row.exact());
    for (const size_t likely : {100u, 20'000u, 65'535u}) row.exact()[likely] = 25;
    LogitBounds& bounds = row.bounds(random, 0.1f);
    ASSERT_TRUE(sampler->sample(bounds, 1)) << each.name;
    if (sampler->needs_all_logits() || each.sampling.top_k > kVocab)
      EXPECT_TRUE(bounds.all_exact()) << each.name;
    else if (each.sampling.top_k == 20)  // 17 of them among many that are nearly as likely
      EXPECT_LE(bounds.exact_groups(), 200) << each.name;
    else
      EXPECT_LE(bounds.exact_groups(), 4) << each.name;
  }
}

TEST(SampleBounds, what_is_wrong_with_logits_is_said_as_ever) {
  constexpr int32_t kVocab = 100;
  const TokenTraits traits = token_traits(kVocab);
  Sampling all_banned;
  for (int32_t id = 0; id < kVocab; ++id) all_banned.banned.push_back(id);
  Random random(2);
  Row row(kVocab);
  fill(random, 2, row.exact());
  auto none = Sampler::create(all_banned, traits);
  EXPECT_EQ(none->sample(row.bounds(random, 0.1f), 0).error().message,
            none->sample(row.exact(), 0).error().message);

  auto sampler = Sampler::create(Sampling(), traits);
  row.exact()[40] = std::numeric_limits<float>::quiet_NaN();
  const auto dense = sampler->sample(row.exact(), 0);
  ASSERT_FALSE(dense);
  EXPECT_EQ(sampler->sample(row.bounds(random, 0.1f), 0).error().message, dense.error().message);

  // Bounds that go beyond the largest number.
  fill(random, 2, row.exact());
  for (const size_t id : {20u, 50u, 51u}) row.exact()[id] = 3.3e38f;
  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(*sampler->sample(row.bounds(random, 3e37f), 3), *sampler->sample(row.exact(), 3));

  fill(random, 2, row.exact());
  row.fails = true;
  EXPECT_EQ(sampler->sample(row.bounds(random, 0.1f), 0).error().code, Code::io);
  Row shorter(kVocab - 1);
  EXPECT_EQ(sampler->sample(shorter.bounds(random, 0.1f), 0).error().code, Code::argument);
}

}  // namespace
}  // namespace skein
