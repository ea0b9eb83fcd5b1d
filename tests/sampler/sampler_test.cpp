#include "run/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <random>

namespace skein {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// Sampling that changes nothing: no cuts, no penalties.
Sampling neutral() {
  Sampling out;
  out.top_p = 1;
  out.presence = 0;
  out.frequency = 0;
  return out;
}

Sampler make(const Sampling& sampling, const TokenTraits& tokens) {
  auto out = Sampler::create(sampling, tokens);
  EXPECT_TRUE(out.has_value()) << out.error().message;
  return *std::move(out);
}

// conventions 4.4, as it is written there: probabilities, sort, cutoff, top-k, temperature.
// `near_tie` tells that a rounding could decide.
Candidates by_the_book(std::vector<float> logits, const Sampling& s, bool& near_tie) {
  std::vector<double> scaled(logits.begin(), logits.end());
  double temperature = s.temperature;
  if (s.order == SampleOrder::openai) {
    for (double& x : scaled) x /= temperature;
    temperature = 1;
  }
  const double largest = *std::max_element(scaled.begin(), scaled.end());
  Candidates sorted;
  double total = 0;
  for (size_t i = 0; i < scaled.size(); ++i) {
    sorted.push_back({static_cast<int32_t>(i), std::exp(scaled[i] - largest)});
    total += sorted.back().probability;
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const Candidate& a, const Candidate& b) {
    return a.probability > b.probability;
  });
  for (Candidate& c : sorted) c.probability /= total;
  while (sorted.back().probability == 0) sorted.pop_back();
  near_tie = false;
  if (s.top_p < 1) {
    double sum = 0;
    double cutoff = 0;
    for (const Candidate& c : sorted) {
      sum += c.probability;
      if (std::fabs(sum - s.top_p) < 1e-9) near_tie = true;
      if (sum < s.top_p) continue;
      cutoff = c.probability;
      break;
    }
    std::erase_if(sorted, [&](const Candidate& c) { return c.probability < cutoff; });
  }
  const auto top_k = static_cast<size_t>(s.top_k);
  if (top_k > 0 && top_k < sorted.size()) sorted.resize(top_k);
  const double least = s.min_p * sorted[0].probability;
  for (const Candidate& c : sorted) near_tie |= std::fabs(c.probability / least - 1) < 1e-9;
  std::erase_if(sorted, [&](const Candidate& c) { return c.probability < least; });
  total = 0;
  for (Candidate& c : sorted) total += c.probability = std::pow(c.probability, 1 / temperature);
  for (Candidate& c : sorted) c.probability /= total;
  return sorted;
}

// A thousand vectors of seven sizes: bell curves of several widths, some with few distinct values,
// some with minus infinities, some flat.
TEST(Sampler, kept_ids_and_probabilities_are_those_of_the_book) {
  constexpr int32_t kVocabs[] = {1, 7, 100, 1000, 2000, 4096, 65536};
  constexpr double kTopP[] = {0, 0.2, 0.5, 0.85, 0.999, 1};
  constexpr int32_t kTopK[] = {0, 0, 1, 5, 40, 5000};
  constexpr double kTemperatures[] = {1, 0.3, 0.7, 1, 2.5};
  constexpr double kMinP[] = {0, 0, 0.05};
  std::mt19937_64 random(4);
  int compared = 0;
  int skipped = 0;
  int cut = 0;
  for (int round = 0; round < 1000; ++round) {
    const int32_t vocab = kVocabs[round % 80 == 79 ? 6 : round % 6];
    std::normal_distribution<float> normal(0, 1.0f + static_cast<float>(random() % 8));
    std::vector<float> logits(static_cast<size_t>(vocab));
    for (float& logit : logits) {
      logit = normal(random);
      if (round % 3 == 1) logit = std::round(logit * 4) / 4;
      if (round % 5 == 2 && random() % 4 == 0) logit = kMinusInfinity;
      if (round % 50 == 7) logit = 3;
      if (round % 7 == 3) logit = 20 + logit * 1e-4f;  // some thousand floats, each several times
    }
    logits[0] = 0;
    Sampling s = neutral();
    s.top_p = kTopP[random() % std::size(kTopP)];
    s.top_k = kTopK[random() % std::size(kTopK)];
    s.temperature = kTemperatures[random() % std::size(kTemperatures)];
    s.min_p = kMinP[random() % std::size(kMinP)];
    s.order = random() % 2 == 0 ? SampleOrder::rwkv : SampleOrder::openai;
    bool near_tie = false;
    const Candidates expected = by_the_book(logits, s, near_tie);
    if (near_tie) {
      ++skipped;
      continue;
    }
    const TokenTraits tokens = token_traits(vocab);
    const auto got = make(s, tokens).distribution(logits);
    ASSERT_TRUE(got.has_value()) << got.error().message;
    ASSERT_EQ(got->size(), expected.size())
        << "round " << round << " vocab " << vocab << " top_p " << s.top_p << " top_k " << s.top_k
        << " temperature " << s.temperature;
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ((*got)[i].id, expected[i].id) << "round " << round << " place " << i;
      ASSERT_NEAR((*got)[i].probability, expected[i].probability, 1e-6);
    }
    ++compared;
    cut += expected.size() > 1 && expected.size() < logits.size();
  }
  EXPECT_GE(compared, 990) << skipped << " near ties";
  EXPECT_GE(cut, 300);  // the comparison is not of whole or single-token distributions only
}

// A part in 10^8 to either side of a running sum decides whether one token more is kept; with
// wide and narrow logits, and with impossible tokens, which weigh nothing.
TEST(Sampler, top_p_cuts_where_the_sum_reaches_it) {
  std::mt19937_64 random(21);
  for (const float width : {0.2f, 2.0f, 7.0f, 20.0f}) {
    std::normal_distribution<float> normal(0, width);
    std::vector<float> logits(4000);
    for (float& logit : logits) logit = random() % 2 == 0 ? normal(random) : kMinusInfinity;
    Sampling s = neutral();
    bool near_tie = false;
    const Candidates all = by_the_book(logits, s, near_tie);
    const TokenTraits tokens = token_traits(4000);
    double sum = 0;
    for (size_t i = 0; i < 1000; ++i) {
      sum += all[i].probability;
      if (i % 90 != 3 || all[i + 1].probability < 1e-7) continue;
      s.top_p = sum * (1 - 1e-8);
      EXPECT_EQ(make(s, tokens).distribution(logits)->size(), i + 1) << width;
      s.top_p = sum * (1 + 1e-8);
      EXPECT_EQ(make(s, tokens).distribution(logits)->size(), i + 2) << width;
    }
  }
}

TEST(Sampler, philox_gives_the_published_vectors) {
  using Counter = std::array<uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Sampler, uniform_numbers_use_all_of_seed_and_position) {
  // The first published vector: 0xe169c58d6627e8d5 without its low eleven bits.
  EXPECT_EQ(uniform_at(0, 0), static_cast<double>(0xe169c58d6627e8d5u >> 11) * 0x1p-53);
  std::map<double, int> seen;
  for (int bit = 0; bit < 64; ++bit) {
    ++seen[uniform_at(uint64_t{1} << bit, 0)];
    ++seen[uniform_at(0, uint64_t{1} << bit)];
  }
  EXPECT_EQ(seen.size(), 128u);
  EXPECT_GE(seen.begin()->first, 0.0);
  EXPECT_LT(seen.rbegin()->first, 1.0);
}

// Pearson's statistic of draws at consecutive positions. Its bound is the 99.9 % quantile in Wilson
// and Hilferty's approximation; with a fixed seed the test is a fact, not a chance.
void expect_draws_follow(Sampler& sampler, std::span<const float> logits, int draws) {
  const Candidates expected = *sampler.distribution(logits);
  std::map<int32_t, int> counts;
  for (int position = 0; position < draws; ++position)
    ++counts[*sampler.sample(logits, static_cast<uint64_t>(position))];
  double statistic = 0;
  double rest_expected = draws;
  double rest_count = draws;
  int cells = 0;
  for (const Candidate& c : expected) {
    const double mean = c.probability * draws;
    if (mean < 10) break;
    statistic += (counts[c.id] - mean) * (counts[c.id] - mean) / mean;
    rest_expected -= mean;
    rest_count -= counts[c.id];
    ++cells;
  }
  if (rest_expected > 10) {
    statistic += (rest_count - rest_expected) * (rest_count - rest_expected) / rest_expected;
    ++cells;
  }
  for (const auto& [id, count] : counts)
    EXPECT_TRUE(std::any_of(expected.begin(), expected.end(),
                            [&, drawn = id](const Candidate& c) { return c.id == drawn; }))
        << id << " was drawn and is not kept";
  const double freedom = cells - 1;
  ASSERT_GE(freedom, 3);
  const double k = 2 / (9 * freedom);
  EXPECT_LT(statistic, freedom * std::pow(1 - k + 3.09 * std::sqrt(k), 3));
}

TEST(Sampler, draws_pass_a_chi_square_test) {
  std::mt19937_64 random(12);
  std::normal_distribution<float> normal(0, 3);
  const TokenTraits tokens = token_traits(300);
  std::vector<float> logits(300);
  for (float& logit : logits) logit = normal(random);
  for (const double temperature : {0.5, 1.0, 3.0})
    for (const double top_p : {0.85, 1.0}) {
      Sampling s = neutral();
      s.temperature = temperature;
      s.top_p = top_p;
      s.seed = 20240607;
      Sampler sampler = make(s, tokens);
      expect_draws_follow(sampler, logits, 20000);
    }
}

TEST(Sampler, the_same_call_gives_the_same_token_in_any_order_and_from_a_copy) {
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal(0, 4);
  const TokenTraits tokens = token_traits(500);
  Sampling s = neutral();
  s.top_p = 0.95;
  s.seed = 99;
  Sampler forward = make(s, tokens);
  Sampler backward = make(s, tokens);
  std::vector<std::vector<float>> logits(200, std::vector<float>(500));
  for (auto& row : logits)
    for (float& logit : row) logit = normal(random);
  std::vector<int32_t> ids;
  for (size_t i = 0; i < logits.size(); ++i) ids.push_back(*forward.sample(logits[i], i));
  for (size_t i = logits.size(); i-- > 0;) ASSERT_EQ(*backward.sample(logits[i], i), ids[i]);
  Sampler copy = forward;
  for (size_t i = 0; i < logits.size(); ++i) ASSERT_EQ(*copy.sample(logits[i], i), ids[i]);
  s.seed = 100;
  Sampler other = make(s, tokens);
  int same = 0;
  for (size_t i = 0; i < logits.size(); ++i) same += *other.sample(logits[i], i) == ids[i];
  EXPECT_LT(same, 150);
}

TEST(Sampler, equal_logits_are_kept_and_drawn_by_id) {
  const TokenTraits tokens = token_traits(2000);
  std::vector<float> logits(2000, 1.5f);
  Sampling s = neutral();
  s.top_k = 7;
  const Candidates kept = *make(s, tokens).distribution(logits);
  ASSERT_EQ(kept.size(), 7u);
  for (int32_t i = 0; i < 7; ++i) EXPECT_EQ(kept[static_cast<size_t>(i)].id, i);
  s.top_k = 0;
  s.top_p = 0.1;  // all are as likely as the cutoff
  EXPECT_EQ(make(s, tokens).distribution(logits)->size(), 2000u);
  // Of two with equal logits at the edge of top-k the lower id stays.
  logits.assign(2000, 0.0f);
  logits[1999] = 3;
  logits[700] = 2;
  logits[300] = 2;
  s.top_p = 1;
  s.top_k = 2;
  const Candidates two = *make(s, tokens).distribution(logits);
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(two[0].id, 1999);
  EXPECT_EQ(two[1].id, 300);
}

TEST(Sampler, temperature_zero_and_its_limit_are_the_largest_logit) {
  std::mt19937_64 random(8);
  std::normal_distribution<float> normal(0, 4);
  const TokenTraits tokens = token_traits(300);
  for (int round = 0; round < 10000; ++round) {
    std::vector<float> logits(300);
    for (float& logit : logits) logit = normal(random);
    const auto best =
        static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    Sampling s = neutral();
    s.order = round % 2 == 0 ? SampleOrder::rwkv : SampleOrder::openai;
    s.top_p = round % 3 == 0 ? 0.9 : 1;
    constexpr double kCold[] = {0, 1e-9, 1e-100, 5e-324};
    s.temperature = kCold[round % 4];
    s.seed = static_cast<uint64_t>(round);
    Sampler sampler = make(s, tokens);
    ASSERT_EQ(*sampler.sample(logits, 3), best) << s.temperature;
  }
  std::vector<float> ties(300, 2.0f);
  ties[0] = 1;
  Sampling greedy = neutral();
  greedy.temperature = 0;
  Sampler sampler = make(greedy, tokens);
  for (uint64_t position = 0; position < 50; ++position)
    EXPECT_EQ(*sampler.sample(ties, position), 1);
}

TEST(Sampler, top_p_zero_is_the_maximum_and_one_is_off) {
  const TokenTraits tokens = token_traits(65536);
  std::mt19937_64 random(3);
  std::normal_distribution<float> normal(0, 4);
  std::vector<float> logits(65536);
  for (float& logit : logits) logit = normal(random);
  Sampling s = neutral();
  s.top_p = 1;
  EXPECT_EQ(make(s, tokens).distribution(logits)->size(), 65536u);
  s.top_p = 0;
  const Candidates one = *make(s, tokens).distribution(logits);
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(logits[static_cast<size_t>(one[0].id)],
            *std::max_element(logits.begin(), logits.end()));
  EXPECT_EQ(one[0].probability, 1.0);
}

TEST(Sampler, extreme_logits_never_leave_nothing_and_never_give_nan) {
  std::vector<std::vector<float>> all;
  for (const size_t vocab : {size_t{1}, size_t{5}, size_t{1100}}) {
    all.emplace_back(vocab, 0.0f);
    all.emplace_back(vocab, -1e30f);
    all.emplace_back(vocab, 3e38f);
    all.emplace_back(vocab, kMinusInfinity).back() = 5;  // one-hot
    all.emplace_back(vocab, -1e30f).back() = 1e30f;
    all.emplace_back(vocab, 3e38f).back() = -3e38f;
    all.emplace_back(vocab, 1e-45f).back() = 0;
    auto& spread = all.emplace_back(vocab);
    for (size_t i = 0; i < vocab; ++i)
      spread[i] = std::ldexp(i % 2 == 0 ? 1.0f : -1.0f, static_cast<int>(i % 250) - 125);
  }
  int cases = 0;
  for (const auto& logits : all)
    for (const double top_p : {0.0, 0.5, 0.9999999999, 1.0})
      for (const int32_t top_k : {0, 1, 3})
        for (const double min_p : {0.0, 0.5, 1.0})
          for (const double temperature : {0.0, 1e-300, 0.5, 1000.0})
            for (const int other : {0, 1, 2, 3}) {
              Sampling s = neutral();
              s.top_p = top_p;
              s.top_k = top_k;
              s.min_p = min_p;
              s.temperature = temperature;
              s.order = other == 1 ? SampleOrder::openai : SampleOrder::rwkv;
              s.typical_p = other == 2 ? 0.3 : 1;
              s.mirostat = other == 3 ? 2 : 0;
              const TokenTraits tokens = token_traits(static_cast<int32_t>(logits.size()));
              Sampler sampler = make(s, tokens);
              const auto kept = sampler.distribution(logits);
              ASSERT_TRUE(kept.has_value()) << kept.error().message;
              ASSERT_FALSE(kept->empty());
              double sum = 0;
              for (const Candidate& c : *kept) {
                ASSERT_TRUE(c.probability >= 0 && c.probability <= 1);
                ASSERT_GT(logits[static_cast<size_t>(c.id)], kMinusInfinity);
                sum += c.probability;
              }
              ASSERT_NEAR(sum, 1, 1e-9);
              const int32_t id = *sampler.sample(logits, static_cast<uint64_t>(cases));
              ASSERT_TRUE(std::any_of(kept->begin(), kept->end(), [&](const Candidate& c) {
                return c.id == id && c.probability > 0;
              }));
              ++cases;
            }
  EXPECT_GE(cases, 10000);
}

TEST(Sampler, logits_that_are_no_numbers_are_errors) {
  const TokenTraits tokens = token_traits(40);
  Sampler sampler = make(neutral(), tokens);
  std::vector<float> logits(40);
  const float bad[] = {std::numeric_limits<float>::quiet_NaN(),
                       -std::numeric_limits<float>::quiet_NaN(),
                       std::numeric_limits<float>::infinity()};
  for (const float value : bad)
    for (const size_t place : {size_t{0}, size_t{17}, size_t{39}}) {
      logits.assign(40, 0);
      logits[place] = value;
      const auto id = sampler.sample(logits, 0);
      ASSERT_FALSE(id.has_value());
      EXPECT_EQ(id.error().code, Code::corrupt);
    }
  logits.assign(40, kMinusInfinity);
  EXPECT_EQ(sampler.sample(logits, 0).error().message, "the model produced no finite logit");
  EXPECT_EQ(sampler.sample(logits, 0).error().code, Code::corrupt);
  EXPECT_EQ(sampler.sample(std::span(logits).first(39), 0).error().code, Code::argument);
  logits[12] = -20;
  EXPECT_EQ(*sampler.sample(logits, 0), 12);
}

std::string_view small_text(int32_t id) {
  constexpr std::string_view kTexts[] = {"", "a", "b", "", "c", "7", " ", "12", "21", "\t", "x1"};
  return id < static_cast<int32_t>(std::size(kTexts)) ? kTexts[id] : std::string_view{};
}

TEST(Sampler, ids_without_text_are_never_drawn_but_the_end_of_document_is) {
  const TokenTraits tokens = token_traits(16, small_text);
  EXPECT_EQ(tokens.silent, (std::vector<int32_t>{3, 11, 12, 13, 14, 15}));
  std::vector<float> logits(16);
  logits[3] = 50;
  logits[15] = 60;
  Sampling s = neutral();
  const auto ids_of = [&] {
    std::vector<int32_t> ids;
    const Candidates kept = *make(s, tokens).distribution(logits);
    for (const Candidate& c : kept) ids.push_back(c.id);
    return ids;
  };
  EXPECT_EQ(ids_of(), (std::vector<int32_t>{0, 1, 2, 4, 5, 6, 7, 8, 9, 10}));
  s.banned = {0, 2};
  s.logit_bias = {{4, -std::numeric_limits<double>::infinity()}, {5, 1.5}, {5, 0.5}, {6, 1.0}};
  EXPECT_EQ(ids_of(), (std::vector<int32_t>{5, 6, 1, 7, 8, 9, 10}));
  const Candidates kept = *make(s, tokens).distribution(logits);
  EXPECT_NEAR(kept[0].probability / kept[1].probability, std::exp(1.0), 1e-9);
  EXPECT_NEAR(kept[1].probability / kept[2].probability, std::exp(1.0), 1e-9);
  s.banned = {0, 1, 2, 4, 5, 6, 7, 8, 9, 10};
  const auto nothing = make(s, tokens).distribution(logits);
  ASSERT_FALSE(nothing.has_value());
  EXPECT_EQ(nothing.error().code, Code::argument);
}

// Four tokens of 1/2, 1/4, 1/8, 1/8: the entropy is 1.75 bits, so the one of two bits is the most
// typical, then that of one bit, then those of three.
TEST(Sampler, typical_keeps_what_is_as_surprising_as_expected) {
  const TokenTraits tokens = token_traits(4);
  const float ln2 = std::log(2.0f);
  const std::vector<float> logits = {-3 * ln2, -ln2, -2 * ln2, -3 * ln2};
  Sampling s = neutral();
  const auto kept = [&](double typical_p) {
    s.typical_p = typical_p;
    std::vector<int32_t> ids;
    const Candidates candidates = *make(s, tokens).distribution(logits);
    for (const Candidate& c : candidates) ids.push_back(c.id);
    return ids;
  };
  EXPECT_EQ(kept(0.2), (std::vector<int32_t>{2}));
  EXPECT_EQ(kept(0.5), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(kept(0.8), (std::vector<int32_t>{1, 2, 0}));
  EXPECT_EQ(kept(1.0), (std::vector<int32_t>{1, 2, 0, 3}));
}

TEST(Sampler, typical_of_a_large_vocabulary_is_that_of_its_definition) {
  const TokenTraits tokens = token_traits(20000);
  std::mt19937_64 random(6);
  std::normal_distribution<float> normal(0, 2);
  std::vector<float> logits(20000);
  for (float& logit : logits) logit = normal(random);
  for (const double typical_p : {0.01, 0.2, 0.9, 0.999}) {
    Sampling s = neutral();
    bool near_tie = false;
    Candidates all = by_the_book(logits, s, near_tie);
    double entropy = 0;
    for (const Candidate& c : all) entropy -= c.probability * std::log(c.probability);
    std::sort(all.begin(), all.end(), [&](const Candidate& a, const Candidate& b) {
      return std::fabs(std::log(a.probability) + entropy) <
             std::fabs(std::log(b.probability) + entropy);
    });
    double sum = 0;
    std::vector<int32_t> expected;
    for (const Candidate& c : all) {
      if (sum >= typical_p) break;
      sum += c.probability;
      expected.push_back(c.id);
    }
    std::sort(expected.begin(), expected.end());
    s.typical_p = typical_p;
    std::vector<int32_t> got;
    const Candidates kept = *make(s, tokens).distribution(logits);
    for (const Candidate& c : kept) got.push_back(c.id);
    std::sort(got.begin(), got.end());
    EXPECT_EQ(got, expected) << typical_p;
  }
}

TEST(Sampler, mirostat_keeps_the_surprise_near_tau) {
  const TokenTraits tokens = token_traits(1000);
  std::vector<float> logits(1000);
  for (const double tau : {1.0, 3.0, 5.0}) {
    Sampling s = neutral();
    s.mirostat = 2;
    s.mirostat_tau = tau;
    s.seed = 5;
    Sampler sampler = make(s, tokens);
    EXPECT_EQ(sampler.memory().mirostat_mu, 2 * tau);
    double total = 0;
    for (uint64_t position = 0; position < 1500; ++position) {
      const double slope = 0.8 + 0.4 * std::sin(static_cast<double>(position) * 0.05);
      for (size_t i = 0; i < logits.size(); ++i)
        logits[i] = static_cast<float>(-slope * std::log(static_cast<double>(i + 1)));
      const Candidates kept = *sampler.distribution(logits);
      const int32_t id = *sampler.sample(logits, position);
      const auto drawn =
          std::find_if(kept.begin(), kept.end(), [&](const Candidate& c) { return c.id == id; });
      total -= std::log2(drawn->probability);
      sampler.accept(id);
    }
    EXPECT_NEAR(total / 1500, tau, 0.1) << tau;
  }
}

TEST(Sampler, mirostat_learns_only_from_the_token_it_drew) {
  const TokenTraits tokens = token_traits(50);
  std::vector<float> logits(50);
  Sampling s = neutral();
  s.mirostat = 2;
  Sampler sampler = make(s, tokens);
  const double before = sampler.memory().mirostat_mu;
  const int32_t id = *sampler.sample(logits, 0);
  EXPECT_EQ(sampler.memory().mirostat_mu, before);
  sampler.accept(id == 7 ? 8 : 7);
  sampler.accept(id);
  EXPECT_EQ(sampler.memory().mirostat_mu, before);
  const int32_t again = *sampler.sample(logits, 1);
  sampler.accept(again);
  EXPECT_NEAR(sampler.memory().mirostat_mu, before - 0.1 * (std::log2(50.0) - 5), 1e-9);
}

TEST(Sampler, every_setting_out_of_range_is_one_sentence_that_names_it) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const struct {
    const char* field;
    std::function<void(Sampling&)> spoil;
  } cases[] = {
      {"temperature", [&](Sampling& s) { s.temperature = -0.1; }},
      {"temperature", [&](Sampling& s) { s.temperature = nan; }},
      {"temperature", [&](Sampling& s) { s.temperature = infinity; }},
      {"top_p", [&](Sampling& s) { s.top_p = -1e-9; }},
      {"top_p", [&](Sampling& s) { s.top_p = nan; }},
      {"top_k", [&](Sampling& s) { s.top_k = -1; }},
      {"min_p", [&](Sampling& s) { s.min_p = 1.1; }},
      {"min_p", [&](Sampling& s) { s.min_p = nan; }},
      {"typical_p", [&](Sampling& s) { s.typical_p = -0.5; }},
      {"typical_p", [&](Sampling& s) { s.typical_p = nan; }},
      {"mirostat", [&](Sampling& s) { s.mirostat = 1; }},
      {"mirostat_tau", [&](Sampling& s) { s.mirostat_tau = nan; }},
      {"mirostat_eta", [&](Sampling& s) { s.mirostat_eta = 1.5; }},
      {"presence", [&](Sampling& s) { s.presence = infinity; }},
      {"frequency", [&](Sampling& s) { s.frequency = -101; }},
      {"penalty_decay", [&](Sampling& s) { s.penalty_decay = 1.01; }},
      {"repetition", [&](Sampling& s) { s.repetition = 0; }},
      {"logit_bias",
       [&](Sampling& s) {
         s.logit_bias = {{-1, 0}};
       }},
      {"logit_bias",
       [&](Sampling& s) {
         s.logit_bias = {{10, 0}};
       }},
      {"logit_bias",
       [&](Sampling& s) {
         s.logit_bias = {{1, infinity}};
       }},
      {"logit_bias",
       [&](Sampling& s) {
         s.logit_bias = {{1, nan}};
       }},
      {"logit_bias", [&](Sampling& s) { s.logit_bias.resize(1025); }},
      {"banned", [&](Sampling& s) { s.banned = {-1}; }},
      {"banned", [&](Sampling& s) { s.banned = {10}; }},
  };
  const TokenTraits tokens = token_traits(10);
  EXPECT_TRUE(validate(Sampling{}).has_value());
  for (const auto& each : cases) {
    Sampling s;
    each.spoil(s);
    const auto sampler = Sampler::create(s, tokens);
    ASSERT_FALSE(sampler.has_value()) << each.field;
    EXPECT_EQ(sampler.error().code, Code::argument);
    EXPECT_EQ(sampler.error().message.rfind(each.field, 0), 0u) << sampler.error().message;
  }
  EXPECT_FALSE(Sampler::create(Sampling{}, token_traits(0)).has_value());
}

TEST(Sampler, names_of_orders_and_styles_are_read_back) {
  for (const SampleOrder order : {SampleOrder::rwkv, SampleOrder::openai})
    EXPECT_EQ(*parse_sample_order(sample_order_name(order)), order);
  for (const PenaltyStyle style :
       {PenaltyStyle::skein, PenaltyStyle::rwkv_pip, PenaltyStyle::ai00, PenaltyStyle::openai})
    EXPECT_EQ(*parse_penalty_style(penalty_style_name(style)), style);
  EXPECT_EQ(parse_sample_order("RWKV").error().code, Code::argument);
  EXPECT_EQ(parse_penalty_style("rwkv\n").error().code, Code::argument);
}

}  // namespace
}  // namespace skein
