// Constraints over random grammars: what a matcher says is what the grammar means, by whatever way.
#include "constrain/matcher.h"

#include <gtest/gtest.h>

#include "constrain/random_grammar.h"
#include "support/thorough.h"

namespace skein::constrain::test {
namespace {

template <typename T>
T must(Result<T> result) {
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return result ? *std::move(result) : T{};
}

// A fifth of them, or all where tests are thorough.
uint32_t seeds(uint32_t all) { return skein::test::thorough() ? all : all / 5; }

ConstraintOptions deep() {
  ConstraintOptions options;
  options.depth = 500;
  return options;
}

ConstraintPtr made(uint32_t seed, const ConstraintOptions& options = deep()) {
  RandomGrammar random(seed);
  auto constraint = Constraint::make(std::move(random.grammar), small_words(), options);
  return constraint ? *constraint : nullptr;
}

// Reads random words that are allowed, at most `steps`, and calls `look` at each place.
template <typename Look>
void wander(const ConstraintPtr& constraint, uint32_t seed, int steps, const Look& look) {
  std::mt19937 random(seed);
  Matcher matcher(constraint);
  for (int n = 0; n < steps; ++n) {
    look(matcher);
    if (::testing::Test::HasFatalFailure()) return;
    const MaskPtr mask = must(matcher.mask());
    if (mask->allowed == 0) return;
    auto skip = static_cast<int32_t>(random() % static_cast<uint32_t>(mask->allowed));
    int32_t id = 0;
    while (!mask->ids[id] || skip-- > 0) ++id;
    ASSERT_TRUE(must(matcher.accept(id)));
  }
}

TEST(Matcher, random_grammars_allow_what_they_mean) {
  size_t satisfiable = 0;
  for (uint32_t seed = 0; seed < seeds(1500); ++seed) {
    RandomGrammar random(seed);
    const Language meant = random.language();
    const auto constraint = Constraint::make(std::move(random.grammar), small_words(), deep());
    if (!constraint) {
      ASSERT_EQ(constraint.error()[0].code, "unsatisfiable") << seed;
      ASSERT_TRUE(meant.none()) << seed;
      continue;
    }
    ++satisfiable;
    std::vector<Matcher> after;
    for (size_t n = 0; n < kTexts; ++n) {
      const std::string& text = texts()[n];
      Matcher matcher = n == 0 ? Matcher(*constraint) : after[(n - 1) / 3];
      const bool was_alive = n == 0 || matcher.text().size() + 1 == text.size();
      const bool alive =
          was_alive && must(matcher.accept_bytes(text.substr(text.empty() ? 0 : text.size() - 1)));
      ASSERT_EQ(alive && must(matcher.can_end()), meant[n]) << "seed " << seed << ": " << text;
      after.push_back(matcher);
    }
  }
  EXPECT_GT(satisfiable, seeds(800));
}

TEST(Matcher, masks_are_the_words_that_it_accepts) {
  for (uint32_t seed = 0; seed < seeds(400); ++seed) {
    const ConstraintPtr constraint = made(seed);
    if (!constraint) continue;
    wander(constraint, seed, 12, [&](Matcher& matcher) {
      const MaskPtr mask = must(matcher.mask());
      int32_t allowed = 0;
      for (int32_t id = 0; id < small_words()->size(); ++id) {
        Matcher fork = matcher;
        const bool accepted = must(fork.accept(id));
        ASSERT_EQ(mask->ids[id], accepted) << "seed " << seed << ", id " << id;
        allowed += accepted;
      }
      ASSERT_EQ(mask->allowed, allowed);
      ASSERT_TRUE(allowed > 0 || must(matcher.can_end())) << seed << " " << matcher.text();
      ASSERT_EQ(must(matcher.must_end()), allowed == 0) << seed << " " << matcher.text();
      ASSERT_EQ(mask->only, allowed == 1 ? mask->ids.first() : -1);
    });
  }
}

TEST(Matcher, every_split_into_words_ends_at_the_same_place) {
  std::mt19937 random(3);
  for (uint32_t seed = 0; seed < seeds(300); ++seed) {
    const ConstraintPtr constraint = made(seed);
    if (!constraint) continue;
    Matcher last(constraint);
    wander(constraint, seed, 8, [&](Matcher& matcher) { last = matcher; });
    const std::string text(last.text());
    for (int round = 0; round < 3; ++round) {
      Matcher other(constraint);
      for (const std::string& piece : text::test::random_cuts(random, text))
        ASSERT_TRUE(must(other.accept_bytes(piece))) << seed;
      ASSERT_EQ(must(other.place()), must(last.place())) << seed << " " << text;
    }
  }
}

TEST(Matcher, forks_go_on_by_themselves) {
  const ConstraintPtr constraint = [] {
    Grammar g;
    Terms& t = g.terms;
    g.root = t.sequence(t.repeat(t.byte_range('a', 'c'), 1, 20), t.literal("!"));
    return *Constraint::make(std::move(g), small_words());
  }();
  Matcher one(constraint);
  ASSERT_TRUE(must(one.accept_bytes("ab")));
  Matcher other = one;
  ASSERT_TRUE(must(other.accept_bytes("c!")));
  EXPECT_TRUE(must(other.must_end()));
  EXPECT_EQ(one.text(), "ab");
  EXPECT_FALSE(must(one.can_end()));
  EXPECT_FALSE(must(one.accept_bytes("cx")));
  EXPECT_EQ(one.text(), "ab") << "what is not allowed changes nothing";
  EXPECT_FALSE(must(one.accept(0)));
  EXPECT_FALSE(must(one.accept(-1)));
  EXPECT_FALSE(must(one.accept(1'000'000)));
}

TEST(Matcher, tables_that_are_made_anew_change_nothing) {
  ConstraintOptions tiny = deep();
  tiny.table_bytes = 90'000;
  size_t compared = 0;
  for (uint32_t seed = 0; seed < seeds(150); ++seed) {
    const ConstraintPtr constraint = made(seed), small = made(seed, tiny);
    if (!constraint || !small) continue;
    wander(constraint, seed, 30, [&](Matcher& matcher) {
      Matcher other(small);
      const auto accepted = other.accept_bytes(matcher.text());
      if (!accepted) return;  // even one step does not fit: an error, and no answer
      const auto mask = other.mask();
      if (!mask) return;
      ASSERT_EQ((*mask)->ids, must(matcher.mask())->ids) << seed;
      ++compared;
    });
  }
  EXPECT_GT(compared, seeds(500));
}

TEST(Matcher, masks_do_not_depend_on_how_they_are_made) {
  for (uint32_t seed = 0; seed < seeds(300); ++seed) {
    ConstraintOptions plain = deep();
    plain.slices = plain.clamp = false;
    const ConstraintPtr constraint = made(seed), other = made(seed, plain);
    if (!constraint) continue;
    wander(constraint, seed, 10, [&](Matcher& matcher) {
      Matcher same(other);
      ASSERT_TRUE(must(same.accept_bytes(matcher.text())));
      ASSERT_EQ(must(same.mask())->ids, must(matcher.mask())->ids) << seed;
      ASSERT_EQ(must(matcher.walked_mask())->ids, must(matcher.mask())->ids) << seed;
      ASSERT_EQ(must(same.can_end()), must(matcher.can_end()));
    });
  }
}

}  // namespace
}  // namespace skein::constrain::test
