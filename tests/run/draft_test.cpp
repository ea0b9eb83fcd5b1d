// What a prompt-lookup drafter finds, what it says of it, and how many guesses are tried.
#include "run/draft.h"

#include <gtest/gtest.h>

#include <map>

#include "run/lookahead.h"
#include "support/random.h"

namespace skein {
namespace {

void push(Drafter& drafter, std::span<const int32_t> ids) {
  for (const int32_t id : ids) drafter.push(id);
}

std::vector<int32_t> noise(uint64_t seed, size_t count, uint64_t vocab = 60000) {
  test::Random random(seed);
  std::vector<int32_t> out(count);
  for (int32_t& id : out) id = static_cast<int32_t>(random.below(vocab));
  return out;
}

std::vector<int32_t> ids_of(const Drafter& drafter, size_t most) {
  std::vector<Guess> guesses(most);
  guesses.resize(drafter.guess(guesses));
  std::vector<int32_t> out;
  for (const Guess& guess : guesses) out.push_back(guess.id);
  return out;
}

using Ids = std::vector<int32_t>;

TEST(PromptLookup, guesses_what_followed_the_same_tokens_before) {
  PromptLookup drafter;
  push(drafter, Ids{1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 21, 3, 4});
  EXPECT_EQ(ids_of(drafter, 4), (Ids{5, 6, 7, 8}));
  EXPECT_EQ(ids_of(drafter, 0), Ids{});
}

TEST(PromptLookup, has_no_guess_where_nothing_is_repeated) {
  PromptLookup drafter;
  Ids ids(1000);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i);
  for (const int32_t id : ids) {
    drafter.push(id);
    EXPECT_EQ(ids_of(drafter, 4), Ids{});
  }
}

TEST(PromptLookup, the_longest_match_counts_and_of_equals_the_nearest) {
  PromptLookup longest;
  push(longest, Ids{1, 2, 3, 4, 50, 9, 3, 4, 60, 8, 1, 2, 3, 4});
  EXPECT_EQ(ids_of(longest, 1), Ids{50});  // four tokens; 3 4 60 is nearer but two
  PromptLookup nearest;
  push(nearest, Ids{7, 3, 4, 50, 9, 3, 4, 60, 8, 3, 4});
  EXPECT_EQ(ids_of(nearest, 1), Ids{60});
}

TEST(PromptLookup, a_match_that_overlaps_the_end_goes_on_in_circles) {
  PromptLookup drafter;
  push(drafter, Ids{1, 2, 3, 1, 2, 3, 1, 2, 3});
  EXPECT_EQ(ids_of(drafter, 7), (Ids{1, 2, 3, 1, 2, 3, 1}));
}

TEST(PromptLookup, says_of_its_guesses_what_this_text_has_shown) {
  const auto first_probability = [](const PromptLookup& drafter) {
    Guess guess;
    return drafter.guess({&guess, 1}) == 1 ? guess.probability : -1;
  };
  PromptLookup circles, broken;
  for (int round = 0; round < 300; ++round) {
    push(circles, Ids{1, 2, 3, 4, 5});
    push(broken, Ids{1, 2, 1000 + round});  // what follows 1 2 is never what followed it
  }
  push(broken, Ids{1, 2});
  EXPECT_GT(first_probability(circles), 0.95);
  EXPECT_LT(first_probability(broken), 0.01);
  EXPECT_GE(first_probability(broken), 0);
}

TEST(PromptLookup, forgets_what_is_too_far_back_and_is_right_about_the_rest) {
  for (const size_t distance : {size_t{60000}, size_t{70000}}) {
    PromptLookup drafter;
    push(drafter, Ids{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
    Ids others(distance);
    for (size_t i = 0; i < distance; ++i) others[i] = static_cast<int32_t>(100 + i);
    push(drafter, others);
    push(drafter, Ids{1, 2, 3, 4, 5, 6, 7, 8, 9});
    EXPECT_EQ(ids_of(drafter, 2), distance < 65536 ? (Ids{10, 11}) : Ids{});
  }
}

// Against a search through the whole text, which knows no table and no window.
TEST(PromptLookup, a_guess_follows_a_match_and_hardly_ever_a_shorter_one_than_it_could) {
  const Ids text = noise(3, 3000, 4);
  PromptLookup drafter;
  int worse = 0;  // the tables keep one place for each hash
  const auto common = [&](size_t end, size_t count) {
    size_t length = 0;
    while (length < std::min(end, size_t{32}) && text[end - 1 - length] == text[count - 1 - length])
      ++length;
    return length;
  };
  for (size_t count = 1; count < text.size(); ++count) {
    drafter.push(text[count - 1]);
    std::map<int32_t, size_t> best;  // what may follow: after how long a match
    size_t longest = 0;
    for (size_t end = 1; end < count; ++end) {
      const size_t length = common(end, count);
      longest = std::max(longest, length);
      best[text[end]] = std::max(best[text[end]], length);
    }
    const Ids guess = ids_of(drafter, 1);
    EXPECT_EQ(guess.size(), longest >= 2 ? 1u : 0u) << count;
    if (guess.empty()) continue;
    EXPECT_GE(best[guess[0]], 2u);
    worse += best[guess[0]] < (longest >= 8 ? 8 : longest >= 4 ? 4 : 2);
  }
  EXPECT_LT(worse, 3000 / 20);
}

std::vector<Guess> guesses(size_t count, double probability) {
  return std::vector<Guess>(count, Guess{1, probability});
}

DraftLength after(double further) {
  DraftLength length;
  for (int i = 0; i < 100; ++i) {
    length.learn(1, 0.01);
    length.learn(5, 0.01 * (1 + 4 * further));
  }
  return length;
}

TEST(DraftLength, sure_guesses_are_all_tried_and_hopeless_ones_never) {
  for (const double further : {0.0, 0.3, 0.9}) {
    EXPECT_EQ(after(further).choose(guesses(16, 1), 0), 16u);
    EXPECT_EQ(after(further).choose(guesses(16, 1), 8), 16u);
    EXPECT_EQ(after(further).choose(guesses(16, 0), 0), 0u);
    EXPECT_EQ(after(further).choose({}, 0), 0u);
  }
}

TEST(DraftLength, the_dearer_a_further_token_the_surer_guesses_have_to_be) {
  const auto length = [](double further, double probability) {
    return after(further).choose(guesses(16, probability), 0);
  };
  EXPECT_GT(length(0.05, 0.7), 4u);
  EXPECT_EQ(length(0.8, 0.7), 0u);
  EXPECT_GT(length(0.5, 0.95), 0u);
  for (const double further : {0.1, 0.3, 0.5})
    EXPECT_LE(length(further, 0.6), length(further, 0.9)) << further;
  for (const double probability : {0.3, 0.6, 0.9})
    EXPECT_LE(length(0.6, probability), length(0.1, probability)) << probability;
}

TEST(DraftLength, tokens_that_wrong_guesses_would_repeat_count_against_them) {
  const DraftLength length = after(0.1);
  EXPECT_GT(length.choose(guesses(16, 0.3), 0), 0u);
  EXPECT_EQ(length.choose(guesses(16, 0.3), 32), 0u);
}

TEST(DraftLength, where_a_pass_of_several_is_dearer_than_several_passes_nothing_is_tried) {
  EXPECT_EQ(after(2).choose(guesses(16, 0.999), 0), 0u);
  // Until it was long ago: machines get less busy.
  DraftLength length = after(2);
  for (int i = 0; i < 3000; ++i) length.learn(1, 0.01);
  EXPECT_GT(length.choose(guesses(16, 0.999), 0), 0u);
}

TEST(DraftLength, nothing_is_tried_before_a_pass_was_timed_unless_the_cost_is_given) {
  EXPECT_EQ(DraftLength().choose(guesses(16, 1), 0), 0u);
  DraftLength given(0.1);
  const size_t count = given.choose(guesses(16, 0.8), 0);
  EXPECT_GT(count, 0u);
  for (int i = 0; i < 100; ++i) {
    given.learn(1, 0.01);
    given.learn(5, 0.5);
  }
  EXPECT_EQ(given.choose(guesses(16, 0.8), 0), count);
}

}  // namespace
}  // namespace skein
