// Constraints over the World vocabulary: 65,529 words, of which each mask has to get every one
// right.
#include <gtest/gtest.h>

#include "constrain/json_grammar.h"
#include "constrain/matcher.h"
#include "support/fixtures.h"
#include "text/support.h"

namespace skein::constrain::test {
namespace {

constexpr const char* kVocabulary = "data/rwkv_vocab_v20230424.txt";

const std::shared_ptr<const Words>& world() {
  static const auto words =
      std::make_shared<const Words>(text::test::open_file(skein::test::shared_file(kVocabulary)));
  return words;
}

template <typename T>
T must(Result<T> result) {
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return result ? *std::move(result) : T{};
}

ConstraintPtr must_make(Grammar&& grammar, const ConstraintOptions& options = {}) {
  auto made = Constraint::make(std::move(grammar), world(), options);
  EXPECT_TRUE(made) << (made ? "" : made.error()[0].message);
  return made ? *made : nullptr;
}

Matcher after(const ConstraintPtr& constraint, std::string_view text) {
  Matcher matcher(constraint);
  EXPECT_TRUE(must(matcher.accept_bytes(text))) << text;
  return matcher;
}

const char* const kPlaces[] = {"",
                               "{",
                               "{\"",
                               "{\"a\\",
                               "{\"a\": \"caf\xc3",
                               "[1, -",
                               "[0",
                               "[\"a\", {\"b\": [",
                               "[12.5",
                               "[true",
                               "[[[\"x\"]",
                               "{\"a\": nul",
                               "[\n   ",
                               "\"done\"",
                               "{\"k\":\"\xf0\x9f\x98"};

TEST(World, masks_are_the_words_that_are_accepted) {
  SK_NEEDS_SHARED(kVocabulary);
  const ConstraintPtr json = must_make(json_grammar());
  for (const char* text : kPlaces) {
    Matcher matcher = after(json, text);
    const MaskPtr mask = must(matcher.mask());
    for (int32_t id = 0; id < world()->size(); ++id) {
      Matcher fork = matcher;
      ASSERT_EQ(must(fork.accept(id)), mask->ids[id]) << text << " | " << world()->bytes_of(id);
    }
  }
}

TEST(World, ids_without_words_are_in_no_mask) {
  SK_NEEDS_SHARED(kVocabulary);
  Grammar g;
  g.root = g.terms.any_bytes();
  Matcher matcher(must_make(std::move(g)));
  const MaskPtr mask = must(matcher.mask());
  EXPECT_EQ(mask->allowed, 65'529);
  EXPECT_FALSE(mask->ids[0]);
  for (int32_t id = 65'530; id < 65'600; ++id) EXPECT_FALSE(mask->ids[id]);
  EXPECT_FALSE(must(matcher.accept(0)));
  EXPECT_FALSE(must(matcher.accept(65'530)));
}

TEST(World, slices_and_walks_agree_at_every_count) {
  SK_NEEDS_SHARED(kVocabulary);
  struct Count {
    uint32_t min, max;
  };
  for (const auto& [min, max] : {Count{0, 3},
                                 {2, 16},
                                 {0, 17},
                                 {16, 18},
                                 {0, kUnbounded},
                                 {300, kUnbounded},
                                 {127, 130},
                                 {1000, 5000}}) {
    Grammar g;
    g.root = json_string(g.terms, min, max);
    Matcher matcher(must_make(std::move(g)));
    std::string text = "\"";
    for (int n = 0; n < 20 && must(matcher.accept_bytes(text)); ++n) {
      const MaskPtr mask = must(matcher.mask());
      ASSERT_EQ(mask->ids, must(matcher.walked_mask())->ids) << min << " " << max << " " << n;
      text = n % 5 == 4 ? "\xc3" : n % 5 == 0 && n > 0 ? "\xa9" : n % 7 == 3 ? "\\n" : "x";
    }
  }
}

TEST(World, masks_are_shared_where_a_count_is_out_of_sight) {
  SK_NEEDS_SHARED(kVocabulary);
  Grammar g;
  g.root = json_string(g.terms, 2000, 1'000'000'000);
  const ConstraintPtr constraint = must_make(std::move(g));
  Matcher matcher = after(constraint, "\"abc");
  const MaskPtr mask = must(matcher.mask());
  EXPECT_EQ(mask, must(after(constraint, "\"" + std::string(1800, 'x')).mask()));
  EXPECT_NE(mask, must(after(constraint, "\"" + std::string(1990, 'x')).mask()));
  EXPECT_FALSE(must(after(constraint, "\"" + std::string(1999, 'x')).accept_bytes("\"")));
  EXPECT_TRUE(must(after(constraint, "\"" + std::string(2000, 'x')).accept_bytes("\"")));
  EXPECT_EQ(must(after(constraint, "\"" + std::string(5000, 'x')).mask()),
            must(after(constraint, "\"" + std::string(6000, 'y')).mask()));
}

TEST(World, nesting_ends_in_time_and_answers_close) {
  SK_NEEDS_SHARED(kVocabulary);
  ConstraintOptions options;
  options.depth = 5;
  const ConstraintPtr json = must_make(json_grammar(), options);
  Matcher matcher(json);
  int depth = 0;
  while (must(matcher.accept_bytes("["))) ++depth;
  EXPECT_EQ(depth, 6) << "five values inside each other, and the list that holds them";
  EXPECT_TRUE(must(matcher.accept_bytes("1")) || must(matcher.accept_bytes("]")));
  while (!must(matcher.must_end())) ASSERT_TRUE(must(matcher.accept_bytes("]")));
  // Whatever was read at random, the shortest way closes it.
  std::mt19937 random(5);
  for (int round = 0; round < 30; ++round) {
    Matcher any(json);
    for (int n = 0; n < 40 && must(any.mask())->allowed > 0; ++n) {
      const MaskPtr mask = must(any.mask());
      auto skip = static_cast<int32_t>(random() % static_cast<uint32_t>(mask->allowed));
      int32_t id = 0;
      while (!mask->ids[id] || skip-- > 0) ++id;
      ASSERT_TRUE(must(any.accept(id)));
      ASSERT_TRUE(must(any.mask())->allowed > 0 || must(any.can_end()));
    }
  }
}

// A text with holes that a model fills, as encode() writes the whole: what is forced must be the
// same ids, and where nothing is forced the model chooses the next of them.
TEST(World, forced_ids_are_those_of_the_whole_text) {
  SK_NEEDS_SHARED(kVocabulary);
  std::mt19937 random(11);
  const std::vector<std::string> pieces = {"{\"name\": \"",
                                           "\", \"arguments\": {\"city\": \"",
                                           "\"}}",
                                           "\n",
                                           "  \"country\" : ",
                                           "true",
                                           "false, ",
                                           "\"value\"",
                                           "</tool_call>",
                                           "東京",
                                           "é",
                                           "null}]",
                                           "The quick brown "};
  const std::vector<std::string> fillings = {"London",   "x",       "a b c",  "Zürich",
                                             "naïve 😀", "1234567", "</tool", "true"};
  size_t forced_ids = 0, all_ids = 0;
  for (int round = 0; round < 120; ++round) {
    Grammar g;
    Terms& t = g.terms;
    std::vector<Term> parts;
    std::string text;
    constexpr Terms::Range kInside[] = {{0x20, '"' - 1}, {'"' + 1, 0x10ffff}};
    const Term hole = t.repeat(t.characters(kInside), 0, kUnbounded);
    for (size_t n = 1 + random() % 5; n > 0; --n) {
      for (size_t k = 1 + random() % 3; k > 0; --k) {
        const std::string& piece = pieces[random() % pieces.size()];
        parts.push_back(t.literal(piece)), text += piece;
      }
      if (random() % 3 == 0) continue;
      text += "\"" + fillings[random() % fillings.size()] + "\"";
      parts.insert(parts.end(), {t.literal("\""), hole, t.literal("\"")});
    }
    g.root = t.sequence(parts);
    Matcher matcher(must_make(std::move(g)));
    const std::vector<int32_t> ids = must(world()->tokenizer().encode(text));
    std::vector<int32_t> written;
    while (written.size() < ids.size()) {
      const std::vector<int32_t> forced = must(matcher.forced());
      for (const int32_t id : forced) {
        ASSERT_LT(written.size(), ids.size());
        ASSERT_EQ(id, ids[written.size()]) << text;
        written.push_back(id);
        ASSERT_TRUE(must(matcher.accept(id)));
      }
      forced_ids += forced.size();
      if (!forced.empty() || written.size() == ids.size()) continue;
      ASSERT_TRUE(must(matcher.mask())->ids[ids[written.size()]]) << text;
      ASSERT_TRUE(must(matcher.accept(ids[written.size()])));
      written.push_back(ids[written.size()]);
    }
    all_ids += ids.size();
    EXPECT_TRUE(must(matcher.must_end()));
  }
  EXPECT_GT(forced_ids * 3, all_ids);
}

}  // namespace
}  // namespace skein::constrain::test
