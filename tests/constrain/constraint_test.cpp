// What a constraint is made from, what is refused, what is kept.
#include "constrain/constraint.h"

#include <gtest/gtest.h>

#include <thread>

#include "constrain/compiled.h"
#include "constrain/json_grammar.h"
#include "constrain/matcher.h"
#include "constrain/random_grammar.h"

namespace skein::constrain::test {
namespace {

template <typename T>
T must(Result<T> result) {
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return result ? *std::move(result) : T{};
}

// `build` adds rules and gives the root.
template <typename Build>
Checked<ConstraintPtr> made(const Build& build,
                            const std::shared_ptr<const Words>& words = small_words(),
                            const ConstraintOptions& options = {}) {
  Grammar g;
  g.root = build(g, g.terms);
  return Constraint::make(std::move(g), words, options);
}

bool allows(const Checked<ConstraintPtr>& constraint, std::string_view text) {
  EXPECT_TRUE(constraint);
  Matcher matcher(*constraint);
  return must(matcher.accept_bytes(text)) && must(matcher.can_end());
}

std::string code_of(const Checked<ConstraintPtr>& constraint) {
  return constraint ? "" : constraint.error()[0].code;
}

// A vocabulary by its words; the first id is the end.
class ListedWords : public text::Tokenizer {
 public:
  explicit ListedWords(const std::vector<std::string>& words) : Tokenizer("listed", texts(words)) {}

 private:
  static text::TokenTexts texts(const std::vector<std::string>& words) {
    std::vector<text::TokenTexts::Entry> entries;
    for (size_t n = 0; n < words.size(); ++n)
      entries.push_back({static_cast<int32_t>(n) + 1, words[n]});
    return {entries, static_cast<int32_t>(words.size()) + 1};
  }
  Result<std::vector<int32_t>> encode_text(std::string_view, text::Special) const override {
    return fail(Code::unsupported, "none");
  }
};

TEST(Constraint, left_recursion_is_read) {
  const auto sums = made([](Grammar& g, Terms& t) {
    const uint32_t sum = g.add_rule();
    const Term digit = t.repeat(t.byte_range('0', '9'), 1, kUnbounded);
    g.rules[sum] = t.either(t.sequence(t.call(sum), t.sequence(t.literal("+"), digit)), digit);
    return t.call(sum);
  });
  EXPECT_TRUE(allows(sums, "1"));
  EXPECT_TRUE(allows(sums, "1+22+333"));
  EXPECT_FALSE(allows(sums, "1+"));
  std::string many = "1";
  for (int n = 0; n < 5000; ++n) many += "+1";
  EXPECT_TRUE(allows(sums, many));
}

TEST(Constraint, right_recursion_takes_no_depth) {
  const auto list = made([](Grammar& g, Terms& t) {
    const uint32_t rest = g.add_rule();
    g.rules[rest] = t.either(t.literal("."), t.sequence(t.literal("a"), t.call(rest)));
    return t.call(rest);
  });
  EXPECT_TRUE(allows(list, std::string(20'000, 'a') + "."));
  EXPECT_LT((*list)->bytes_held(), 1u << 20);
}

TEST(Constraint, rules_that_never_end_are_unsatisfiable) {
  EXPECT_EQ(code_of(made([](Grammar& g, Terms& t) {
              const uint32_t root = g.add_rule();
              g.rules[root] = t.call(root);
              return t.call(root);
            })),
            "unsatisfiable");
  EXPECT_EQ(code_of(made([](Grammar& g, Terms& t) {
              const uint32_t a = g.add_rule(), b = g.add_rule();
              g.rules[a] = t.sequence(t.literal("x"), t.call(b));
              g.rules[b] = t.repeat(t.call(a), 1, 3);
              return t.call(a);
            })),
            "unsatisfiable");
  // Beside something that ends they are just never entered.
  const auto either = made([](Grammar& g, Terms& t) {
    const uint32_t endless = g.add_rule();
    g.rules[endless] = t.sequence(t.literal("x"), t.call(endless));
    return t.either(t.call(endless), t.literal("y"));
  });
  Matcher matcher(*either);
  EXPECT_EQ(must(matcher.mask())->allowed, 1);
}

TEST(Constraint, dead_ends_are_not_entered) {
  const auto constraint = made([](Grammar&, Terms& t) {
    const Term letters = t.repeat(t.byte_range('a', 'z'), 1, kUnbounded);
    const Term digits = t.repeat(t.byte_range('0', '9'), 1, kUnbounded);
    const Term dead = t.sequence(t.literal("x"), t.both(letters, digits));
    const Term later = t.both(t.either(t.literal("bcd"), t.literal("ba")),
                              t.except(t.sequence(t.literal("bc"), t.any_bytes())));
    return t.either(dead, later);
  });
  Matcher matcher(*constraint);
  EXPECT_EQ(must(matcher.forced_bytes()), "ba");
}

TEST(Constraint, empty_rules_and_huge_counts_of_them_do_no_harm) {
  const auto constraint = made([](Grammar& g, Terms& t) {
    const uint32_t maybe = g.add_rule(), hidden = g.add_rule();
    g.rules[maybe] = t.either(Term::empty, t.either(t.literal("a"), t.call(maybe)));
    g.rules[hidden] = t.sequence(t.call(maybe), t.either(t.call(hidden), t.literal("b")));
    return t.sequence(t.repeat(t.call(maybe), 1'000'000, 1'000'000'000),
                      t.sequence(t.call(hidden), t.repeat(Term::empty, 0, kUnbounded)));
  });
  EXPECT_TRUE(allows(constraint, "b"));
  EXPECT_TRUE(allows(constraint, "aaab"));
  EXPECT_FALSE(allows(constraint, "aaa"));
}

TEST(Constraint, long_chains_of_rules_are_no_depth) {
  const auto chain = made([](Grammar& g, Terms& t) {
    for (int n = 0; n < 5000; ++n) g.add_rule();
    for (uint32_t n = 0; n + 1 < 5000; ++n)
      g.rules[n] = t.either(t.call(n + 1), t.sequence(t.call(n + 1), t.literal("!")));
    g.rules[4999] = t.literal("x");
    return t.call(0);
  });
  if (chain)
    EXPECT_TRUE(allows(chain, "x!!"));
  else
    EXPECT_EQ(code_of(chain), "constraint_too_large");
}

TEST(Constraint, choices_that_begin_alike_are_all_reachable) {
  const auto constraint = made([](Grammar&, Terms& t) { return t.any_of({"a", "ab"}); });
  Matcher matcher(*constraint);
  EXPECT_TRUE(must(matcher.accept_bytes("a")));
  EXPECT_TRUE(must(matcher.can_end()));
  EXPECT_FALSE(must(matcher.must_end()));
  EXPECT_TRUE(must(matcher.accept_bytes("b")));
  EXPECT_TRUE(must(matcher.must_end()));
}

TEST(Constraint, tokens_without_text_are_what_they_are) {
  const auto constraint = made([](Grammar&, Terms& t) {
    const int32_t end[] = {0}, named[] = {98};  // the word "a"
    return t.sequence(t.literal("x"), t.either(t.sequence(t.tokens(end), t.literal("y")),
                                               t.sequence(t.tokens(named), t.literal("z"))));
  });
  Matcher matcher(*constraint);
  EXPECT_FALSE(must(matcher.accept(0)));
  ASSERT_TRUE(must(matcher.accept_bytes("x")));
  EXPECT_FALSE(must(matcher.accept_bytes("a"))) << "letters are no token";
  EXPECT_EQ(must(matcher.mask())->allowed, 2);
  Matcher other = matcher;
  ASSERT_TRUE(must(matcher.accept(0)));
  EXPECT_EQ(must(matcher.forced_bytes()), "y");
  EXPECT_EQ(matcher.text(), "x");
  ASSERT_TRUE(must(other.accept(98)));
  EXPECT_EQ(must(other.forced_bytes()), "z");
}

TEST(Constraint, bytes_that_the_vocabulary_cannot_write_are_not_needed) {
  const auto words = std::make_shared<const Words>(
      std::make_shared<ListedWords>(std::vector<std::string>{"a", "b", "ab", "b", "cx", "ac"}));
  EXPECT_FALSE(words->single_bytes()['c']);
  const auto constraint = made(
      [](Grammar&, Terms& t) {
        const Term c = t.sequence(t.literal("c"), t.any_bytes());
        return t.either(t.literal("ab"), t.either(t.literal("acx"), t.except(c)));
      },
      words);
  Matcher matcher(*constraint);
  const MaskPtr mask = must(matcher.mask());
  EXPECT_TRUE(mask->ids[1] && mask->ids[2] && mask->ids[3] && mask->ids[4]) << "twins go together";
  EXPECT_FALSE(mask->ids[5] || mask->ids[6]) << "what could not be finished is not begun";
  EXPECT_TRUE(must(matcher.accept(4)));
  EXPECT_TRUE(must(matcher.forced()).empty());
  EXPECT_EQ(code_of(made([](Grammar&, Terms& t) { return t.literal("abc"); }, words)),
            "unsatisfiable");
}

TEST(Constraint, an_answer_with_too_many_readings_ends_in_an_error) {
  ConstraintOptions options;
  options.items = 40;
  options.depth = 500;
  const auto constraint = made(
      [](Grammar& g, Terms& t) {
        const uint32_t s = g.add_rule();
        const Term a = t.literal("a"), ab = t.byte_range('a', 'b');
        g.rules[s] = t.either(t.sequence(a, t.sequence(t.call(s), ab)), a);
        const Term quiet =
            t.literal("-------------------------------------------------------------");
        return t.sequence(quiet, t.call(s));
      },
      small_words(), options);
  ASSERT_TRUE(constraint);
  Matcher matcher(*constraint);
  ASSERT_TRUE(must(matcher.accept_bytes(must(matcher.forced_bytes()))));
  const auto read = matcher.accept_bytes(std::string(200, 'a'));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::unsupported);
  EXPECT_TRUE(must(matcher.accept_bytes("ab"))) << "where it stood before, it still stands";
}

TEST(Constraint, grammars_that_are_too_large_are_refused) {
  EXPECT_EQ(code_of(made([](Grammar&, Terms& t) {
              Term all = Term::empty;
              for (int n = 0; n < 600'000; ++n)
                all = t.sequence(t.literal(n % 2 ? "abc" : "d"), all);
              return all;
            })),
            "constraint_too_large");
  // (a|b)*a(a|b){40} beside its complement's like: nobody can tell whether they meet.
  EXPECT_EQ(code_of(made([](Grammar&, Terms& t) {
              const Term ab = t.byte_range('a', 'b');
              const Term star = t.repeat(ab, 0, kUnbounded);
              const Term one = t.sequence(star, t.sequence(t.literal("a"), t.repeat(ab, 40, 40)));
              const Term other = t.sequence(star, t.sequence(t.literal("b"), t.repeat(ab, 40, 40)));
              return t.both(one, other);
            })),
            "constraint_too_large");
}

TEST(Constraint, threads_share_one) {
  ConstraintOptions options;
  options.table_bytes = 300'000;
  const auto constraint = Constraint::make(json_grammar(), small_words(), options);
  ASSERT_TRUE(constraint);
  std::vector<std::thread> threads;
  std::array<std::string, 4> ends;
  for (size_t n = 0; n < ends.size(); ++n)
    threads.emplace_back([&, n] {
      Matcher matcher(*constraint);
      const std::string text = R"({"a": [1, 2.5, {"b": "text", "c": null}], "d": ")" +
                               std::string(200 + n, static_cast<char>('a' + n)) + "\"}";
      for (const char c : text) {
        const auto mask = matcher.mask();
        const auto read = matcher.accept_bytes(std::string_view(&c, 1));
        if (!mask || !read || !*read) return;
      }
      ends[n] = must(matcher.must_end()) ? "ended" : "open";
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& end : ends) EXPECT_EQ(end, "ended");
}

Checked<Made> with_notes(Checked<ConstraintPtr> constraint) {
  if (!constraint) return tl::unexpected(std::move(constraint).error());
  return Made{std::move(*constraint)};
}
Checked<Made> json_made() { return with_notes(Constraint::make(json_grammar(), small_words())); }

TEST(Compiled, the_same_text_is_made_once) {
  Compiled all;
  const Digest key = Compiled::key("json", "{}", "", *small_words());
  const auto one = all.get(key, json_made), other = all.get(key, json_made);
  ASSERT_TRUE(one && other);
  EXPECT_EQ(one->constraint, other->constraint);
  EXPECT_EQ(all.counts().made, 1u);
  EXPECT_EQ(all.counts().found, 1u);
  for (const Digest& different :
       {Compiled::key("json", "{} ", "", *small_words()),
        Compiled::key("jso", "n{}", "", *small_words()),
        Compiled::key("json", "{}", "strict", *small_words()),
        Compiled::key("json", "{}", "", Words(text::byte_tokenizer_257()))})
    EXPECT_NE(different, key);
}

TEST(Compiled, what_is_wrong_is_not_kept_and_harms_nobody) {
  Compiled all;
  const Digest good = Compiled::key("a", "", "", *small_words());
  const Digest bad = Compiled::key("b", "", "", *small_words());
  const auto kept = all.get(good, json_made);
  for (int n = 0; n < 2; ++n)
    EXPECT_FALSE(
        all.get(bad, [] { return with_notes(Constraint::make(Grammar(), small_words())); }));
  EXPECT_EQ(all.counts().constraints, 1u);
  Matcher matcher(kept->constraint);
  EXPECT_TRUE(must(matcher.accept_bytes("{}")));
}

TEST(Compiled, who_asks_for_one_that_is_being_made_waits_for_it) {
  Compiled all;
  const Digest key = Compiled::key("json", "", "", *small_words());
  std::atomic<int> made_times{0};
  std::vector<ConstraintPtr> got(4);
  std::vector<std::thread> threads;
  const auto make = [&] {
    ++made_times;
    // Until the others wait for it.
    while (all.counts().awaited < got.size() - 1) std::this_thread::yield();
    return json_made();
  };
  for (ConstraintPtr& each : got)
    threads.emplace_back([&] { each = all.get(key, make).value().constraint; });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made_times, 1);
  for (const ConstraintPtr& each : got) EXPECT_EQ(each, got[0]);
}

TEST(Compiled, a_refusal_is_told_to_all_who_waited_for_it) {
  Compiled all;
  const Digest key = Compiled::key("bad", "", "", *small_words());
  std::atomic<int> refused{0};
  const auto make = [&] {
    while (all.counts().awaited < 2) std::this_thread::yield();
    return with_notes(Constraint::make(Grammar(), small_words()));
  };
  std::vector<std::thread> threads;
  for (int n = 0; n < 3; ++n) threads.emplace_back([&] { refused += !all.get(key, make); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused, 3);
}

TEST(Compiled, memory_is_flat_over_many) {
  Compiled all(2 << 20);
  for (int n = 0; n < 400; ++n) {
    const std::string text = "schema " + std::to_string(n);
    const auto constraint = all.get(Compiled::key("literal", text, "", *small_words()), [&] {
      return with_notes(made([&](Grammar&, Terms& t) { return t.literal(text); }));
    });
    ASSERT_TRUE(constraint);
    Matcher matcher(constraint->constraint);
    must(matcher.mask());
    ASSERT_LT(all.counts().bytes, (2u << 20) + 100'000);
  }
  EXPECT_LT(all.counts().constraints, 400u);
  EXPECT_GT(all.counts().constraints, 5u);
}

}  // namespace
}  // namespace skein::constrain::test
