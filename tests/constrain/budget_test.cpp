// Grammars whose readings multiply: what is done for them is bounded, and counted.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "constrain/gbnf.h"
#include "constrain/lark.h"
#include "constrain/matcher.h"
#include "constrain/prepare.h"
#include "constrain/random_grammar.h"
#include "constrain/schema.h"

namespace skein::constrain::test {
namespace {

using Add = Checked<Term> (*)(Grammar&, std::string_view, const GrammarOptions&);

// What is done at once may go beyond a limit by the lists that were looked at last.
constexpr uint64_t kSlack = 500'000;

// Rules that may be empty, or call two others: each is entered from everywhere.
std::string empty_or_two(int rules, std::string_view named, std::string_view first,
                         std::string_view calls) {
  std::string text(named);
  for (int n = 0; n < rules; ++n) text += " a" + std::to_string(n);
  text += "\n";
  const auto number = [&](int n) { return " a" + std::to_string(n % rules); };
  for (int n = 0; n < rules; ++n)
    text += "a" + std::to_string(n) + std::string(calls) + std::string(first) + " |" +
            number(7 * n) + number(3 * n + 1) + "\n";
  return text;
}

std::string empty_or_two_gbnf(int rules) {
  return empty_or_two(rules, "root ::=", " \"\" | \"x\"", " ::=");
}

std::string empty_or_two_lark(int rules) { return empty_or_two(rules, "start:", " \"x\"?", ":"); }

std::string calls_of_everywhere(int rules) {
  std::string text = "root ::= r0\n";
  const auto number = [&](int n) { return "r" + std::to_string(n % rules); };
  for (int n = 0; n < rules; ++n)
    text += number(n) + " ::= " + number(n + 1) + " " + number(n + 7) + " | " + number(5 * n + 2) +
            " | \"a\" " + number(11 * n) + " | [a-c]\n";
  return text;
}

std::string maybe_each(int parts) {
  std::string text = "root ::=";
  for (int n = 0; n < parts; ++n) text += " \"x\"?";
  return text;
}

std::string doubled(int times) {
  std::string text = "root ::= d" + std::to_string(times) + "\nd0 ::= \"x\"?\n";
  for (int n = 1; n <= times; ++n) {
    const std::string last = "d" + std::to_string(n - 1);
    text += "d" + std::to_string(n) + " ::= " + last + " " + last + "\n";
  }
  return text;
}

// The same behind a text that hides it from the texts that are tried when it is made.
std::string hidden(std::string text) {
  const std::string root = "root ::=";
  text.replace(text.find(root), root.size(), "root ::= [a-z]{60} hidden\nhidden ::=");
  return text;
}

Grammar read(Add add, const std::string& text) {
  Grammar grammar;
  const auto root = add(grammar, text, {});
  EXPECT_TRUE(root) << (root ? "" : root.error()[0].message);
  grammar.root = root.value_or(Term::none);
  return grammar;
}

struct Named {
  std::string name;
  Add add;
  std::string text;
};

std::vector<Named> bombs() {
  return {
      {"100 rules, empty or two others", add_gbnf, empty_or_two_gbnf(100)},
      {"200 rules, empty or two others", add_gbnf, empty_or_two_gbnf(200)},
      {"500 rules, empty or two others", add_gbnf, empty_or_two_gbnf(500)},
      {"250 rules in Lark", add_lark, empty_or_two_lark(250)},
      {"120 rules that begin with each other", add_gbnf, calls_of_everywhere(120)},
      {"5,000 parts that may be left out", add_gbnf, maybe_each(5000)},
      {"sixty rules that double", add_gbnf, doubled(60)},
  };
}

TEST(Budget, grammars_whose_readings_multiply_are_refused) {
  for (const Named& bomb : bombs()) {
    const auto constraint = Constraint::make(read(bomb.add, bomb.text), small_words());
    ASSERT_FALSE(constraint) << bomb.name;
    EXPECT_EQ(constraint.error()[0].code, "constraint_too_large") << bomb.name;
  }
}

TEST(Budget, no_step_does_more_than_is_allowed) {
  const Automaton::Limits limits;
  ByteSet all;
  all.set();
  for (const Named& bomb : bombs()) {
    auto prepared = prepare(read(bomb.add, bomb.text), all);
    ASSERT_TRUE(prepared) << bomb.name;
    EXPECT_LT(prepared->terms.work(), 1'000'000u) << bomb.name;
    Automaton automaton(std::move(*prepared), limits);
    const uint64_t before = automaton.work();
    automaton.allow(Constraint::kMostProbeWork);
    Automaton::Config at = automaton.start();
    for (int n = 0; n < 100 && automaton.trouble() == Automaton::Trouble::none; ++n)
      at = automaton.next(at, 'x') != Automaton::kDead ? automaton.next(at, 'x')
                                                       : automaton.next(at, 'a');
    EXPECT_LE(automaton.most_step_work(), limits.step_work + kSlack) << bomb.name;
    EXPECT_LE(automaton.work() - before, Constraint::kMostProbeWork + kSlack) << bomb.name;
  }
}

// `count` patterns of which each asks for two letters at its own distance: together they remember
// all that was read lately.
std::string patterns(std::string_view before, int count, std::string_view after, bool names) {
  std::string text(before);
  for (int n = 0; n < count; ++n) {
    const std::string pattern = "\"a.{" + std::to_string(n + 5) + "}b\"";
    text += (n > 0 ? "," : "") + (names ? pattern + ": {\"minLength\": " + std::to_string(n) + "}"
                                        : "{\"pattern\": " + pattern + "}");
  }
  return text + std::string(after);
}

TEST(Budget, schemas_whose_patterns_multiply_are_refused_before_they_are_multiplied) {
  for (const std::string& schema :
       {patterns(R"({"type": "string", "allOf": [)", 10, "]}", false),
        patterns(R"({"type": "string", "allOf": [)", 40, "]}", false),
        patterns(R"({"type": "object", "patternProperties": {)", 10, "}}", true),
        patterns(R"({"type": "object", "patternProperties": {)", 40, "}}", true)}) {
    Grammar grammar;
    const auto term = add_schema(grammar, schema);
    ASSERT_FALSE(term) << schema;
    EXPECT_EQ(term.error()[0].code, "constraint_too_large") << schema;
    EXPECT_LE(grammar.terms.search_work(), kMostProofWork + kSlack) << schema;
    // Some 50 ms.
    EXPECT_LE(grammar.terms.work(), 5'000'000u) << schema;
  }
}

TEST(Budget, who_adds_to_a_grammar_behind_a_schema_is_not_bound_by_it) {
  Grammar grammar;
  ASSERT_TRUE(add_schema(grammar, R"({"type": "string", "pattern": "^a.{3}b$"})"));
  grammar.terms.spend(2 * kMostSchemaWork);
  EXPECT_FALSE(grammar.terms.full());
}

TEST(Budget, equal_grammars_cost_the_same) {
  const auto once = Constraint::make(read(add_gbnf, doubled(10)), small_words());
  const auto again = Constraint::make(read(add_gbnf, doubled(10)), small_words());
  ASSERT_TRUE(once && again);
  EXPECT_GT((*once)->work(), 0u);
  EXPECT_EQ((*once)->work(), (*again)->work());
  EXPECT_EQ((*once)->most_step_work(), (*again)->most_step_work());
}

// Reads 'x' or, where that cannot follow, 'a', each after a look at the mask, until an error.
std::optional<Error> read_until_refused(Matcher& matcher, size_t most) {
  const Constraint& constraint = matcher.constraint();
  for (size_t n = 0; n < most; ++n) {
    const uint64_t before = constraint.work();
    const auto mask = matcher.mask();
    EXPECT_LE(constraint.work() - before, Matcher::kMostCallWork + kSlack);
    if (!mask) return mask.error();
    const auto x = matcher.accept_bytes("x");
    if (!x) return x.error();
    if (*x) continue;
    const auto a = matcher.accept_bytes("a");
    if (!a) return a.error();
    if (!*a) break;
  }
  return std::nullopt;
}

TEST(Budget, behind_a_text_they_end_the_answer_and_harm_nobody) {
  for (const std::string& text : {empty_or_two_gbnf(100), empty_or_two_gbnf(500),
                                  calls_of_everywhere(120), maybe_each(5000), doubled(60)}) {
    const std::string name = text.substr(0, 40);
    const auto constraint = Constraint::make(read(add_gbnf, hidden(text)), small_words());
    ASSERT_TRUE(constraint) << name;
    Matcher matcher(*constraint);
    const auto error = read_until_refused(matcher, 100);
    ASSERT_TRUE(error) << name;
    EXPECT_EQ(error->code, Code::unsupported) << name;
    EXPECT_LE((*constraint)->most_step_work(), Automaton::Limits{}.step_work + kSlack) << name;
    // Where it stood before, it still stands; others begin as if nothing had been.
    EXPECT_GE(matcher.text().size(), 50u) << name;
    EXPECT_TRUE(matcher.can_end()) << name;
    Matcher other(*constraint);
    const auto begun = other.accept_bytes("hello");
    EXPECT_TRUE(begun && *begun) << name;
    const auto mask = other.mask();
    EXPECT_TRUE(mask && (*mask)->allowed > 0) << name;
  }
}

}  // namespace
}  // namespace skein::constrain::test
