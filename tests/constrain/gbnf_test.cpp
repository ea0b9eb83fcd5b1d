#include "constrain/gbnf.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "constrain/language.h"

namespace skein::constrain {
namespace {

using Language = LanguageOf<add_gbnf>;

std::string repeated(std::string_view part, size_t times) {
  std::string out;
  for (size_t n = 0; n < times; ++n) out += part;
  return out;
}

TEST(Gbnf, texts_have_escapes) {
  EXPECT_TRUE(Language("root ::= \"a\\n\\r\\t\\\"\\\\\\[\\]\\x41\\u00e9\\U0001F600\"")
                  .allows("a\n\r\t\"\\[]A\xc3\xa9\xf0\x9f\x98\x80"));
  EXPECT_TRUE(Language("root ::= \"\\x00\"").allows(std::string_view("\0", 1)));
  EXPECT_TRUE(Language("root ::= \"\"").allows(""));
  EXPECT_TRUE(Language("root ::= \"\\x80\"").allows("\xc2\x80"));  // a character, not a byte
}

TEST(Gbnf, classes_are_of_characters) {
  Language some("root ::= [a-c\\x30-\\x39\\]\\n-]");
  for (const char* text : {"a", "c", "5", "]", "\n", "-"}) EXPECT_TRUE(some.allows(text)) << text;
  for (const char* text : {"d", "[", "", "ab", "\\"}) EXPECT_FALSE(some.allows(text)) << text;
  Language others("root ::= [^a-c]");
  EXPECT_TRUE(others.allows("\n"));
  EXPECT_TRUE(others.allows("\xe2\x82\xac"));
  EXPECT_FALSE(others.allows("b"));
  EXPECT_FALSE(others.allows("\xe2"));
  EXPECT_TRUE(Language("root ::= [\xc3\xa0-\xc3\xbf]+").allows("\xc3\xa9\xc3\xa8"));
  Language any("root ::= .");
  EXPECT_TRUE(any.allows("\n"));
  EXPECT_TRUE(any.allows("\xf0\x9f\x98\x80"));
  EXPECT_FALSE(any.allows("\xff"));
}

TEST(Gbnf, alternatives_groups_and_repetitions) {
  Language grammar("root ::= (\"a\" | \"b\" \"c\")* \"d\"? \"e\"+ | \"x\"");
  for (const char* text : {"e", "aabcde", "dee", "x"}) EXPECT_TRUE(grammar.allows(text)) << text;
  for (const char* text : {"", "bde", "ddee", "xe"}) EXPECT_FALSE(grammar.allows(text)) << text;
  EXPECT_TRUE(Language("root ::= \"ab\"*").allows("abab"));
  EXPECT_FALSE(Language("root ::= \"ab\"*").allows("abb"));
  EXPECT_TRUE(Language("root ::= \"a\" |").allows(""));
  EXPECT_TRUE(Language("root ::= () \"a\"").allows("a"));
  EXPECT_TRUE(Language("root ::= \"a\"{2}{3}").allows("aaaaaa"));
  EXPECT_FALSE(Language("root ::= \"a\"{2}{3}").allows("aaaaa"));
}

TEST(Gbnf, counts_are_exact_whatever_their_size) {
  Language most("root ::= \"x\"{0,2000}");
  EXPECT_TRUE(most.allows(""));
  EXPECT_TRUE(most.allows(std::string(2000, 'x')));
  EXPECT_FALSE(most.allows(std::string(2001, 'x')));
  Language exactly("root ::= \"x\"{3000}");
  EXPECT_FALSE(exactly.allows(std::string(2999, 'x')));
  EXPECT_TRUE(exactly.allows(std::string(3000, 'x')));
  EXPECT_FALSE(exactly.allows(std::string(3001, 'x')));
  Language least("root ::= \"x\"{ 2 , } \"y\"{1,2500}");
  EXPECT_FALSE(least.allows("xy"));
  EXPECT_TRUE(least.allows("xxx" + std::string(2500, 'y')));
  EXPECT_FALSE(least.allows("xxx" + std::string(2501, 'y')));
}

TEST(Gbnf, lines_end_rules_but_not_groups) {
  EXPECT_TRUE(Language("root ::= (\n  \"a\"\n  # a comment\n  \"b\"\n) \"c\"").allows("abc"));
  EXPECT_TRUE(Language("root ::= \"a\" |\n  \"b\"").allows("b"));
  EXPECT_TRUE(Language("root ::=\n  \"a\"").allows("a"));
  EXPECT_TRUE(Language("\n\n# first\nroot ::= x # second\n\nx ::= \"a\"").allows("a"));
  EXPECT_TRUE(Language("root ::= x\r\nx ::= \"a\"\r\n").allows("a"));
  EXPECT_TRUE(Language("root ::= \"a\" # the end without a newline").allows("a"));
  EXPECT_EQ(
      Language("root ::= \"a\"\n | \"b\"").refusal(),
      "invalid_grammar 2:2 a rule ends with its line; put the | at the end of the line before");
}

TEST(Gbnf, names_may_have_dots_and_underscores) {
  EXPECT_TRUE(
      Language("root ::= a_b a.b a-b\na_b ::= \"1\"\na.b ::= \"2\"\na-b ::= \"3\"").allows("123"));
  // Where no rule is called so, the dot is any character.
  Language dots("root ::= a.b\na ::= \"1\"\nb ::= \"3\"");
  EXPECT_TRUE(dots.allows("1x3"));
  EXPECT_FALSE(dots.allows("13"));
}

TEST(Gbnf, rules_may_call_themselves_anywhere) {
  Language left("root ::= root \",\" item | item\nitem ::= [0-9]+");
  EXPECT_TRUE(left.allows("1,22,333"));
  EXPECT_FALSE(left.allows("1,,2"));
  EXPECT_FALSE(left.allows(",1"));
  Language middle("root ::= \"(\" root \")\" | \"\"");
  EXPECT_TRUE(middle.allows("((()))"));
  EXPECT_FALSE(middle.allows("(()"));
  Language hidden("root ::= empty root \"a\" | \"b\"\nempty ::= \"\" | \"c\"");
  EXPECT_TRUE(hidden.allows("baa"));
  EXPECT_TRUE(hidden.allows("cbaa"));
  EXPECT_FALSE(hidden.allows("bac"));
  Language mutual("root ::= other \"x\" | \"r\"\nother ::= root \"y\" | \"o\"");
  EXPECT_TRUE(mutual.allows("ryx"));
  EXPECT_TRUE(mutual.allows("oxyx"));
  EXPECT_FALSE(mutual.allows("ox y"));
}

TEST(Gbnf, loops_without_a_byte_add_nothing) {
  EXPECT_TRUE(Language("root ::= (\"\")* \"a\"").allows("a"));
  EXPECT_TRUE(Language("root ::= (\"a\"?)*").allows("aaa"));
  EXPECT_TRUE(Language("root ::= root | \"a\"").allows("a"));
  EXPECT_TRUE(Language("root ::= root root | \"a\" | \"\"").allows("aaa"));
  EXPECT_TRUE(Language("root ::= b b*\nb ::= root? | \"a\"").allows("aa"));
  EXPECT_TRUE(Language("root ::= (b*)*\nb ::= c*\nc ::= \"x\"?").allows("xxx"));
}

TEST(Gbnf, what_never_ends_is_unsatisfiable) {
  for (const char* text : {"root ::= root", "root ::= \"a\" root", "root ::= a\na ::= b\nb ::= a",
                           "root ::= [^\\x00-\\U0010FFFF]", "root ::= x{2}\nx ::= x x"})
    EXPECT_TRUE(Language(text).refusal().starts_with("unsatisfiable 1:1 no text follows \"root\""))
        << text << Language(text).refusal();
  // What is not productive is left out.
  EXPECT_TRUE(Language("root ::= \"a\" | bad\nbad ::= bad \"x\"").allows("a"));
}

TEST(Gbnf, tokens_are_named_or_numbered) {
  GrammarOptions options;
  options.token_named = [](std::string_view name) -> std::optional<int32_t> {
    if (name == "<think>") return 7;
    return std::nullopt;
  };
  Language grammar("root ::= <think> <[12]> !<[3]> !<think>", options);
  ASSERT_TRUE(grammar.term) << grammar.refusal();
  Terms& terms = grammar.grammar.terms;
  struct {
    std::vector<int32_t> ids;
    bool other;
  } expected[] = {{{7}, false}, {{12}, false}, {{3}, true}, {{7}, true}};
  ASSERT_EQ(terms.kind(*grammar.term), Terms::Kind::call);
  Term rest = grammar.grammar.rules[terms.rule(*grammar.term)];
  for (const auto& token : expected) {
    const auto entries = terms.entries(rest);
    ASSERT_EQ(entries.size(), 1U);
    EXPECT_EQ(terms.token_ids(entries[0].head), token.ids);
    EXPECT_EQ(terms.other_tokens(entries[0].head), token.other);
    rest = entries[0].tail;
  }
  EXPECT_EQ(rest, Term::empty);
  EXPECT_TRUE(Language("root ::= <nobody>", options)
                  .refusal()
                  .starts_with("invalid_grammar 1:10 the vocabulary has no token of its own"));
}

TEST(Gbnf, problems_say_where_and_what) {
  const auto begins = [](std::string_view text, std::string_view expected) {
    const std::string refusal = Language(text).refusal();
    EXPECT_TRUE(refusal.starts_with(expected)) << text << ": " << refusal;
  };
  begins("", "invalid_grammar 1:1 there is no rule \"root\"");
  begins("Root ::= \"a\"",
         "invalid_grammar 1:1 there is no rule \"root\", where the text would begin; "
         "\"Root\" is another name");
  begins("root ::= a\nb ::= c", "invalid_grammar 1:10 the rule \"a\" is used but not defined");
  begins("root ::= \"a", "invalid_grammar 1:10 the \" has no second one");
  begins("root ::= [a", "invalid_grammar 1:10 the [ has no ]");
  begins("root ::= []", "invalid_grammar 1:10 [] has no characters");
  begins("root ::= [^]", "invalid_grammar 1:10 [^] has no characters");
  begins("root ::= [z-a]", "invalid_grammar 1:11 the range z-a goes backwards");
  begins("root ::= (\"a\"", "invalid_grammar 1:10 the ( has no )");
  begins("root ::= \"a\")", "invalid_grammar 1:13 the ) closes nothing");
  begins("root ::= *", "invalid_grammar 1:10 there is nothing before \"*\"");
  begins("root ::= \"a\" | +", "invalid_grammar 1:16 there is nothing before \"+\"");
  begins("root ::= \"a\"{}", "invalid_grammar 1:14 expected a number, found \"}\"");
  begins("root ::= \"a\"{,3}", "invalid_grammar 1:14 expected a number");
  begins("root ::= \"a\"{3",
         "invalid_grammar 1:15 expected a } that ends the counts, found the end");
  begins("root ::= \"a\"{3,2}", "invalid_grammar 1:13 the counts {3,2} are upside down");
  begins("root ::= \"a\"{99999999999999999999}", "invalid_grammar 1:13 counts go up to 1000000");
  begins("root ::= \"\\q\"", "invalid_grammar 1:11 \"q\" behind the backslash");
  begins("root ::= \"\\xZZ\"", "invalid_grammar 1:11 expected 2 hexadecimal digits behind \\x");
  begins("root ::= \"\\uD800\"", "invalid_grammar 1:11 \\uD800 is no character");
  begins("root ::= \"\\U00110000\"", "invalid_grammar 1:11 \\U00110000 is no character");
  begins("root = \"a\"", "invalid_grammar 1:6 expected ::= behind \"root\", found \"=\"");
  begins("root ::= \"a\"\nroot ::= \"b\"",
         "invalid_grammar 2:1 the rule \"root\" is defined twice");
  begins("root ::= (\"a\"\nb ::= \"c\"", "invalid_grammar 2:1 a new rule begins, and the (");
  begins("root ::= \"a\" b ::= \"c\"", "invalid_grammar 1:14 a new rule begins on a line");
  begins("root ::= \"\xc3\xa9\" $", "invalid_grammar 1:14 expected a part of the rule");
  begins("root ::= !a", "invalid_grammar 1:11 expected a token");
  begins("root ::= <x", "invalid_grammar 1:10 the < has no >");
  begins("root ::= <[x]>", "invalid_grammar 1:12 expected the id");
  begins("root ::= \xff", "invalid_grammar 1:10 the grammar is not UTF-8");
}

TEST(Gbnf, several_undefined_rules_are_told_at_once) {
  Language many("root ::= a b\nc ::= d");
  ASSERT_FALSE(many.term);
  EXPECT_EQ(many.term.error().size(), 3U);
  std::string text = "root ::= \"x\"";
  for (int n = 0; n < 50; ++n) text += " r" + std::to_string(n);
  EXPECT_EQ(Language(text).term.error().size(), kMostProblems);
}

TEST(Gbnf, hostile_texts_stay_small) {
  const auto size_of = [](const std::string& text) {
    Language language(text);
    EXPECT_LT(language.grammar.rules.size(), Grammar::kMostRules);
    return language.grammar.terms.size();
  };
  EXPECT_LT(size_of("root ::= " + repeated("(", 60'000)), 100U);
  EXPECT_LT(size_of("root ::= " + repeated("(", 250) + "\"a\"" + repeated(")", 250)), 100U);
  std::string chain = "root ::= r0\n";
  for (int n = 0; n < 4'000; ++n) {
    const std::string number = std::to_string(n);
    chain += "r" + number + "::=" + "r" + std::to_string(n + 1) + "\n";
  }
  EXPECT_TRUE(Language(chain + "r4000::=\"x\"").allows("x"));
  EXPECT_LT(size_of(chain + "r4000::=\"x\""), 10'000U);
  EXPECT_TRUE(Language(chain + "r4000::=r17").refusal().starts_with("unsatisfiable"));
  EXPECT_TRUE(Language(chain + "r4000::=r17|\"x\"").allows("x"));
  // Rules of rules: a text of 2^60 letters.
  std::string doubled = "root ::= d60\nd0 ::= \"x\"\n";
  for (int n = 1; n <= 60; ++n) {
    const std::string before = "d" + std::to_string(n - 1);
    doubled += "d" + std::to_string(n) + " ::= " + before + " " + before + "\n";
  }
  EXPECT_LT(size_of(doubled), 1'000U);
  EXPECT_LT(size_of("root ::= \"a\"" + repeated("*", 60'000)), 1'000U);
  EXPECT_LT(size_of("root ::= \"a\"" + repeated("{1000000}", 6'000)), 10'000U);
  EXPECT_LT(size_of("root ::= " + repeated("\"a\"?", 10'000)), 50'000U);
  EXPECT_LT(size_of("root ::= " + repeated("a? ", 20'000) + "\na ::= root \"b\" | \"c\""),
            100'000U);
  EXPECT_LT(size_of("root ::= " + repeated("a|", 30'000) + "\na ::= root \"b\" | \"c\""), 100'000U);
  EXPECT_EQ(Language(std::string(65'537, '#')).refusal(),
            "constraint_too_large 1:1 the grammar has 65537 bytes; at most 65536 are taken");
}

}  // namespace
}  // namespace skein::constrain
