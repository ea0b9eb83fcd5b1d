// Terms: what they allow, what becomes of them, and that there are few of them.
#include "constrain/term.h"

#include <gtest/gtest.h>

#include "base/utf8.h"
#include "constrain/small_languages.h"

namespace skein::constrain::test {
namespace {

Term read(Terms& terms, Term t, std::string_view text) {
  for (const char c : text) t = terms.next(t, static_cast<uint8_t>(c));
  return t;
}

std::string utf8(uint32_t c) {
  const auto byte = [](uint32_t value) { return static_cast<char>(value); };
  const auto rest = [&](int shift) { return byte(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xc0 | c >> 6), rest(0)};
  if (c < 0x10000) return {byte(0xe0 | c >> 12), rest(6), rest(0)};
  return {byte(0xf0 | c >> 18), rest(12), rest(6), rest(0)};
}

TEST(Terms, random_terms_allow_what_they_say) {
  for (uint32_t seed = 0; seed < 3000; ++seed) {
    Terms terms(100'000);
    RandomTerms random(terms, seed);
    const Meant meant = random.tree(2 + static_cast<int>(seed % 12));
    for (size_t n = 0; n < kTexts; ++n)
      ASSERT_EQ(terms.matches(meant.term, texts()[n]), meant.language[n])
          << "seed " << seed << ", text " << texts()[n];
    ASSERT_FALSE(terms.full()) << seed;
  }
}

TEST(Terms, none_is_found_and_nothing_else_is_called_none) {
  size_t none = 0;
  for (uint32_t seed = 0; seed < 1500; ++seed) {
    Terms terms(100'000);
    RandomTerms random(terms, seed);
    const Meant a = random.tree(2 + static_cast<int>(seed % 7));
    const Meant b = random.tree(2 + static_cast<int>(seed % 5));
    const Term met = terms.both(a.term, b.term);
    const auto answer = terms.is_none(met);
    ASSERT_TRUE(answer) << seed;
    ASSERT_EQ(terms.disjoint(b.term, a.term), answer);
    const Language language = a.language & b.language;
    ASSERT_FALSE(*answer && language.any()) << seed;
    const auto text = terms.example(met);
    ASSERT_EQ(text.has_value(), !*answer) << seed;
    ASSERT_TRUE(!text || terms.matches(met, *text)) << seed;
    if (language.any()) {
      ASSERT_LE(text->size(), texts()[language._Find_first()].size()) << seed;
    }
    none += *answer;
  }
  EXPECT_GT(none, 100u);
}

TEST(Terms, pruning_leaves_the_language_and_no_dead_choice) {
  for (uint32_t seed = 0; seed < 1000; ++seed) {
    Terms terms(100'000);
    RandomTerms random(terms, seed);
    const Meant meant = random.tree(3 + static_cast<int>(seed % 9));
    const Term pruned = terms.prune(meant.term);
    for (size_t n = 0; n < kTexts; n += 1 + seed % 3)
      ASSERT_EQ(terms.matches(pruned, texts()[n]), meant.language[n]) << seed;
    ASSERT_EQ(terms.prune(pruned), pruned) << seed;
    ASSERT_TRUE(terms.kind(pruned) != Terms::Kind::both || terms.is_none(pruned) == false) << seed;
  }
}

TEST(Terms, bytes_of_one_class_lead_to_one_term) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    Terms terms(100'000);
    RandomTerms random(terms, seed);
    const Term t = random.tree(8).term;
    const ByteClasses groups = terms.classes(t);
    for (int byte = 0; byte < 256; ++byte) {
      const auto b = static_cast<uint8_t>(byte);
      const uint8_t other = groups.representatives[groups.of[b]];
      ASSERT_EQ(groups.of[other], groups.of[b]);
      ASSERT_EQ(terms.next(t, b), terms.next(t, other)) << seed;
    }
  }
}

TEST(Terms, laws_make_equal_terms) {
  Terms t(10'000);
  const Term a = t.literal("a"), b = t.literal("b"), c = t.literal("c");
  EXPECT_EQ(t.sequence(t.sequence(a, b), c), t.literal("abc"));
  EXPECT_EQ(t.either(a, b), t.byte_range('a', 'b'));
  EXPECT_EQ(t.either(t.literal("ab"), t.literal("ac")), t.sequence(a, t.byte_range('b', 'c')));
  EXPECT_EQ(t.either(t.literal("ac"), t.literal("bc")), t.sequence(t.byte_range('a', 'b'), c));
  EXPECT_EQ(t.repeat(t.repeat(a, 1000, 1000), 1000, 1000), t.repeat(a, 1'000'000, 1'000'000));
  EXPECT_EQ(t.repeat(t.repeat(a, 1, kUnbounded), 1, kUnbounded), t.repeat(a, 1, kUnbounded));
  EXPECT_EQ(t.repeat(t.repeat(a, 0, kUnbounded), 3, 5), t.repeat(a, 0, kUnbounded));
  EXPECT_EQ(t.repeat(t.optional(a), 2, 7), t.repeat(a, 0, 7));
  EXPECT_EQ(t.repeat(t.any_byte(), 0, kUnbounded), t.any_bytes());
  EXPECT_EQ(t.sequence(t.any_bytes(), t.any_bytes()), t.any_bytes());
  EXPECT_EQ(t.except(t.except(t.literal("ab"))), t.literal("ab"));
  EXPECT_EQ(t.both(a, t.any_bytes()), a);
  EXPECT_EQ(t.both(t.literal("ab"), t.except(t.literal("ab"))), Term::none);
  EXPECT_EQ(t.either(t.repeat(a, 2, 3), t.repeat(a, 4, 9)), t.repeat(a, 2, 9));
  EXPECT_EQ(t.repeat(Term::empty, 0, kUnbounded), Term::empty);
  EXPECT_EQ(t.repeat(Term::none, 0, 3), Term::empty);
  EXPECT_EQ(t.repeat(Term::none, 1, 3), Term::none);
  // A gap is no range: 2, 4 and 6 of them are not 2 to 6.
  const Term even = t.repeat(t.literal("aa"), 1, 3);
  EXPECT_FALSE(t.matches(even, "aaa"));
  const Term gap = t.repeat(t.repeat(a, 3, 4), 0, 2);
  for (size_t n = 0; n < 10; ++n)
    EXPECT_EQ(t.matches(gap, std::string(n, 'a')),
              n == 0 || (n >= 3 && n <= 4) || (n >= 6 && n <= 8));
}

TEST(Terms, counts_cost_nothing) {
  Terms t(20'000);
  const Term a = t.byte_range('a', 'z');
  const Term huge = t.repeat(a, 3, 1'000'000'000);
  EXPECT_FALSE(t.nullable(read(t, huge, "ab")));
  EXPECT_TRUE(t.nullable(read(t, huge, "abc")));
  const Term deep = t.repeat(t.repeat(a, 1000, 1000), 1000, 1000);
  const Term rest = read(t, deep, std::string(1000, 'x'));
  EXPECT_EQ(t.kind(rest), Terms::Kind::repeat);
  EXPECT_EQ(t.minimum(rest), 999'000u);
  const Term gaps = t.repeat(t.repeat(a, 999, 1000), 0, 1000);
  read(t, gaps, std::string(2500, 'x'));
  EXPECT_LT(t.size(), 20'000u);
  // Beyond what counts can say, repetitions stay inside each other.
  const Term over = t.repeat(t.repeat(a, 100'000, 100'000), 100'000, 100'000);
  EXPECT_EQ(t.kind(over), Terms::Kind::repeat);
  EXPECT_EQ(t.maximum(over), 100'000u);
  EXPECT_FALSE(t.full());
}

TEST(Terms, ambiguous_repetitions_stay_small) {
  const std::string many(300, 'a');
  const auto size_after = [&](auto&& make) {
    Terms t(200'000);
    const Term root = make(t, t.literal("a"), t.literal("b"));
    read(t, root, many);
    EXPECT_FALSE(t.full());
    return t.size();
  };
  const auto star = [](Terms& t, Term x) { return t.repeat(x, 0, kUnbounded); };
  EXPECT_LT(size_after([&](Terms& t, Term a, Term) { return star(t, star(t, star(t, a))); }), 30u);
  EXPECT_LT(size_after([&](Terms& t, Term a, Term b) {
              const Term some = star(t, t.either(star(t, a), star(t, b)));
              return t.sequence(t.sequence(some, some), t.sequence(some, a));
            }),
            100u);
  EXPECT_LT(size_after([&](Terms& t, Term a, Term b) {
              return t.repeat(t.sequence(t.repeat(a, 1, 20), t.optional(b)), 1, 10);
            }),
            3000u);
  EXPECT_LT(size_after([&](Terms& t, Term a, Term b) {
              const Term part = t.without(star(t, t.either(a, b)), t.literal("ab"));
              return t.both(star(t, part), t.except(t.sequence(star(t, a), b)));
            }),
            2000u);
  // (a|b)*a(a|b){9}: the automaton has 2^10 states, and these are met one by one.
  EXPECT_LT(size_after([&](Terms& t, Term a, Term b) {
              const Term ab = t.either(a, b);
              return t.sequence(star(t, ab), t.sequence(a, t.repeat(ab, 9, 9)));
            }),
            300u);
}

TEST(Terms, deep_terms_need_no_stack) {
  Terms t(3'000'000);
  const Term a = t.literal("a"), b = t.literal("b");
  Term nested = a;
  for (int n = 0; n < 60'000; ++n) nested = t.optional(t.sequence(a, t.either(nested, b)));
  EXPECT_TRUE(t.matches(nested, std::string(50'000, 'a') + "b"));
  EXPECT_FALSE(t.matches(nested, "ba"));
  Term logic = a;
  for (int n = 0; n < 2'000; ++n)
    logic = t.except(t.both(t.except(t.sequence(b, logic)), t.any_bytes()));
  t.is_none(logic);
  const std::string text(300'000, 'x');
  EXPECT_TRUE(t.matches(t.either(t.literal(text + "a"), t.literal(text + "b")), text + "b"));
  Term options = Term::empty;
  for (int n = 0; n < 4000; ++n)
    options = t.sequence(t.optional(t.sequence(t.literal(std::to_string(n)), b)), options);
  EXPECT_TRUE(t.matches(options, "3999b17b0b"));
  EXPECT_FALSE(t.matches(options, "17b18b"));
}

TEST(Terms, characters_are_whole_and_no_surrogates) {
  Terms t(100'000);
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    std::vector<Terms::Range> ranges;
    const auto some = [&] {
      static constexpr uint32_t kTops[] = {0x80, 0x1000, 0x11000, 0x110000};
      return static_cast<uint32_t>(random() % kTops[random() % 4]);
    };
    for (size_t n = 1 + random() % 6; n > 0; --n) {
      const uint32_t a = some(),
                     b = random() % 2 ? a + static_cast<uint32_t>(random() % 200) : some();
      ranges.push_back({std::min(a, b), std::max(a, b)});
    }
    const Term set = t.characters(ranges);
    const auto inside = [&](uint32_t c) {
      return c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) &&
             std::ranges::any_of(ranges, [&](auto& r) { return r.first <= c && c <= r.last; });
    };
    for (const Terms::Range& range : ranges)
      for (uint32_t c : {range.first - 1, range.first, range.first + 1,
                         (range.first + range.last) / 2, range.last, range.last + 1})
        ASSERT_TRUE(c > 0x10ffff || t.matches(set, utf8(c)) == inside(c)) << round << " " << c;
    for (int n = 0; n < 300; ++n) {
      const uint32_t c = some();
      ASSERT_EQ(t.matches(set, utf8(c)), inside(c)) << round << " " << c;
    }
  }
  const Term any = t.any_character();
  for (int a = 0; a < 256; ++a)
    for (int b = 0; b < 256; ++b) {
      const std::string two{static_cast<char>(a), static_cast<char>(b)};
      ASSERT_EQ(t.matches(any, two), utf8_length(two) == 2);
      ASSERT_EQ(t.next(t.next(any, static_cast<uint8_t>(a)), static_cast<uint8_t>(b)) != Term::none,
                utf8_length(two) == 2 || utf8_incomplete(two));
    }
}

TEST(Terms, many_texts_are_a_trie) {
  Terms t(200'000);
  std::vector<std::string> names;
  for (int n = 0; n < 5000; ++n) names.push_back("name_" + std::to_string(n * 7919 % 100'003));
  const Term any = t.any_of(names);
  EXPECT_LT(t.size(), 12'000u);
  for (const std::string& name : names) ASSERT_TRUE(t.matches(any, name));
  EXPECT_FALSE(t.matches(any, "name_"));
  EXPECT_EQ(t.any_of({"a", "ab", "a"}), t.either(t.literal("a"), t.literal("ab")));
  EXPECT_EQ(t.any_of({}), Term::none);
  EXPECT_EQ(t.any_of({""}), Term::empty);
}

TEST(Terms, entries_say_what_can_be_called_and_what_follows) {
  Terms t(10'000);
  const Term x = t.call(0), y = t.call(1), b = t.literal("b");
  const auto entries = t.entries(t.sequence(t.optional(x), t.sequence(t.repeat(y, 2, 4), b)));
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].head, x);
  EXPECT_EQ(entries[0].tail, t.sequence(t.repeat(y, 2, 4), b));
  EXPECT_EQ(entries[1].head, y);
  EXPECT_EQ(entries[1].tail, t.sequence(t.repeat(y, 1, 3), b));
  EXPECT_TRUE(t.entries(t.sequence(b, x)).empty());
  EXPECT_EQ(t.next(t.either(x, b), 'b'), Term::empty);
  const int32_t ids[] = {7, 3, 7};
  EXPECT_EQ(t.token_ids(t.tokens(ids)), (std::vector<int32_t>{3, 7}));
  EXPECT_FALSE(t.regular(t.tokens(ids)));
}

TEST(Terms, a_full_table_says_so_and_rewinding_empties_it) {
  Terms t(200);
  const Term a = t.byte_range('a', 'z');
  const Term many = t.repeat(a, 1000, 1000);
  const auto mark = t.mark();
  read(t, many, std::string(300, 'x'));
  EXPECT_TRUE(t.full());
  EXPECT_EQ(t.literal("something new"), Term::none);
  EXPECT_TRUE(t.full());
  t.rewind(mark);
  EXPECT_FALSE(t.full());
  EXPECT_EQ(t.minimum(read(t, many, std::string(50, 'x'))), 950u);
  EXPECT_EQ(t.repeat(a, 1000, 1000), many);
}

}  // namespace
}  // namespace skein::constrain::test
