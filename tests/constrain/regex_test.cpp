#include "constrain/regex.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace skein::constrain {
namespace {

struct Pattern {
  explicit Pattern(std::string_view text, RegexDialect dialect = RegexDialect::re2,
                   const RegexOptions& options = {})
      : term(add_regex(grammar, text, dialect, options)) {}

  bool matches(std::string_view text) { return term && grammar.terms.matches(*term, text); }

  Grammar grammar;
  Checked<Term> term;
};

// JSON Schema's `pattern`.
Pattern pattern(std::string_view text) {
  RegexOptions options;
  options.search = true;
  options.most_bytes = 4096;
  return Pattern(text, RegexDialect::ecma, options);
}

// The same, about the value of a JSON string: matched is what stands between its quotes.
Pattern json_pattern(std::string_view text) {
  RegexOptions options;
  options.search = true;
  options.spelling = json_spelling;
  return Pattern(text, RegexDialect::ecma, options);
}

// "line:column what is wrong"; "" where nothing is.
std::string refusal(const Pattern& pattern) {
  if (pattern.term) return "";
  const Problem& problem = pattern.term.error().at(0);
  return problem.code + " " + problem.where + " " + problem.message;
}

TEST(Regex, schemas_patterns_search) {
  EXPECT_TRUE(pattern("a|b").matches("xxbxx"));
  EXPECT_FALSE(pattern("a|b").matches("xxx"));
  EXPECT_TRUE(pattern("^a|b").matches("ax"));
  EXPECT_TRUE(pattern("^a|b").matches("xb\n"));
  EXPECT_FALSE(pattern("^a|b").matches("xa"));
  EXPECT_TRUE(pattern("a|b$").matches("xb"));
  EXPECT_FALSE(pattern("a|b$").matches("bx"));
  EXPECT_TRUE(pattern("").matches("anything\nat all"));
  EXPECT_TRUE(pattern("^$").matches(""));
  EXPECT_FALSE(pattern("^$").matches("\n"));
  EXPECT_TRUE(pattern("^\\d{3}$").matches("123"));
  EXPECT_FALSE(pattern("^\\d{3}$").matches("1234"));
  EXPECT_FALSE(pattern("^\\d{3}$").matches("\xd9\xa1\xd9\xa1\xd9\xa1"));  // Arabic digits
  EXPECT_TRUE(pattern("(^a$)").matches("a"));
  EXPECT_FALSE(pattern("(^a$)").matches("aa"));
  EXPECT_TRUE(pattern("(^|,)a(,|$)").matches("b,a,b"));
  EXPECT_TRUE(pattern("(^|,)a(,|$)").matches("a"));
  EXPECT_FALSE(pattern("(^|,)a(,|$)").matches("ba,b"));
  EXPECT_TRUE(pattern("\\bcat\\b").matches("a cat!"));
  EXPECT_FALSE(pattern("\\bcat\\b").matches("concat!"));
}

TEST(Regex, ecma_has_classes_of_its_own) {
  EXPECT_TRUE(pattern("^\\s$").matches("\xc2\xa0"));
  EXPECT_TRUE(pattern("^\\s$").matches("\xef\xbb\xbf"));
  EXPECT_TRUE(pattern("^\\s$").matches("\v"));
  EXPECT_FALSE(Pattern("\\s").matches("\xc2\xa0"));
  EXPECT_FALSE(pattern("^\\S$").matches("\xe2\x80\xa9"));
  EXPECT_FALSE(pattern("^.*$").matches("a\nb"));
  EXPECT_FALSE(pattern("^.*$").matches("a\rb"));
  EXPECT_FALSE(pattern("^.$").matches("\xe2\x80\xa8"));
  EXPECT_TRUE(Pattern(".*").matches("a\rb"));
  EXPECT_TRUE(pattern("^[^]$").matches("\n"));
  EXPECT_TRUE(pattern("^(a[]|b)$").matches("b"));
  EXPECT_FALSE(pattern("^(a[]|b)$").matches("a"));
  EXPECT_TRUE(pattern("^[\\w-.]+$").matches("a-.b"));
  EXPECT_TRUE(pattern("^[\\w--/]+$").matches("-/"));
  EXPECT_FALSE(pattern("^[\\w--/]+$").matches("."));
  EXPECT_TRUE(pattern("^[a-\\d]+$").matches("a-7"));
  EXPECT_FALSE(pattern("^[a-\\d]+$").matches("b"));
}

TEST(Regex, ecma_has_escapes_of_its_own) {
  EXPECT_TRUE(pattern("^\\/\\-\\_\\@$").matches("/-_@"));
  EXPECT_TRUE(pattern("^\\u0041\\x42\\u{43}\\cJ\\0$").matches(std::string("ABC\n\0", 5)));
  EXPECT_TRUE(pattern("^\\ud83d\\ude00$").matches("\xf0\x9f\x98\x80"));
  EXPECT_TRUE(pattern("^[\\ud83d\\ude00-\\ud83d\\ude02]$").matches("\xf0\x9f\x98\x81"));
  EXPECT_TRUE(pattern("^[\\b]$").matches("\b"));
  EXPECT_TRUE(pattern("^(?<name>a)$").matches("a"));
  EXPECT_TRUE(pattern("^\\p{Letter}\\p{Lu}\\p{digit}$").matches("a\xc3\x89\xd9\xa1"));
  EXPECT_TRUE(pattern("^\\p{Script=Greek}\\P{sc=Greek}$").matches("\xce\xb1z"));
  EXPECT_TRUE(pattern("^\\p{General_Category=Decimal_Number}$").matches("7"));
  EXPECT_TRUE(pattern("^{\\w+}]$").matches("{a}]"));
}

TEST(Regex, half_a_pair_matches_nothing) {
  EXPECT_EQ(pattern("^\\ud83d$").term, Term::none);
  EXPECT_TRUE(pattern("^[^\\ud800-\\udfff]$").matches("\xf0\x9f\x98\x80"));
}

TEST(Regex, inside_a_json_string_the_value_is_meant) {
  EXPECT_TRUE(json_pattern("^.$").matches("\\\""));
  EXPECT_TRUE(json_pattern("^.$").matches("\\\\"));
  EXPECT_TRUE(json_pattern("^.$").matches("\\t"));
  EXPECT_FALSE(json_pattern("^.$").matches("\\n"));
  EXPECT_FALSE(json_pattern("^.$").matches("\""));
  EXPECT_FALSE(json_pattern("^.$").matches("\t"));
  EXPECT_TRUE(json_pattern("^\\n\\x01\\x1F\\x7f$").matches("\\n\\u0001\\u001f\x7f"));
  EXPECT_TRUE(json_pattern("^[^a]{2}$").matches("\\\"\xc3\xa9"));
  EXPECT_TRUE(json_pattern("^\\\\n$").matches("\\\\n"));
  EXPECT_FALSE(json_pattern("^\\\\n$").matches("\\n"));
  EXPECT_TRUE(json_pattern("x").matches("\\n\\\\x\\\""));
  EXPECT_FALSE(json_pattern("n").matches("\\n"));
  EXPECT_TRUE(json_pattern("^[!-~]+$").matches("!#[]~\\\"\\\\"));
  EXPECT_FALSE(json_pattern("^/$").matches("\\/"));
}

TEST(Regex, a_set_never_allows_half_a_character) {
  Pattern not_x("[^x]");
  Terms& terms = not_x.grammar.terms;
  for (int byte = 0; byte < 256; ++byte) {
    const Term rest = terms.next(*not_x.term, static_cast<uint8_t>(byte));
    EXPECT_EQ(terms.nullable(rest), byte < 0x80 && byte != 'x') << byte;
    EXPECT_EQ(rest == Term::none, byte == 'x' || (byte >= 0x80 && byte < 0xc2) || byte > 0xf4)
        << byte;
  }
}

TEST(Regex, flags_may_stand_outside) {
  RegexOptions options;
  options.ignore_case = true;
  options.dot_all = true;
  EXPECT_TRUE(Pattern("k.", RegexDialect::re2, options).matches("\xe2\x84\xaa\n"));
  options.multi_line = true;
  EXPECT_TRUE(Pattern("a$.^b", RegexDialect::re2, options).matches("A\nB"));
}

TEST(Regex, counts_are_exact_and_go_to_a_million) {
  Pattern many("a{2,100000}");
  EXPECT_FALSE(many.matches("a"));
  EXPECT_TRUE(many.matches(std::string(100'000, 'a')));
  EXPECT_FALSE(many.matches(std::string(100'001, 'a')));
  EXPECT_TRUE(Pattern("a{2,1000000}").matches(std::string(100'001, 'a')));
  EXPECT_EQ(refusal(Pattern("a{1000001}")), "invalid_regex 1:2 counts go up to 1000000");
}

TEST(Regex, what_cannot_be_is_refused_with_its_place) {
  const auto begins = [](const Pattern& pattern, std::string_view expected) {
    EXPECT_TRUE(refusal(pattern).starts_with(expected)) << refusal(pattern);
  };
  begins(Pattern("ab\\1"), "invalid_regex 1:3 \\1 refers back");
  begins(Pattern("a\xc3\xa9(?=b)"), "invalid_regex 1:3 looking ahead");
  begins(Pattern("a(?!b)"), "invalid_regex 1:2 looking ahead");
  begins(Pattern("a\n(?<=b)"), "invalid_regex 2:1 looking behind");
  begins(Pattern("(?<!b)"), "invalid_regex 1:1 looking behind");
  begins(Pattern("a*+"), "invalid_regex 1:3 possessive");
  begins(Pattern("a**"), "invalid_regex 1:3 two quantifiers");
  begins(Pattern("(?>a)"), "invalid_regex 1:1 atomic");
  begins(Pattern("\\C"), "invalid_regex 1:1 \\C");
  begins(Pattern("(a(?R))"), "invalid_regex 1:3 recursion");
  begins(Pattern("(a|b"), "invalid_regex 1:1 the ( has no )");
  begins(Pattern("a)"), "invalid_regex 1:2 the ) closes no (");
  begins(Pattern("x[ab"), "invalid_regex 1:2 the [ has no ]");
  begins(Pattern("[z-a]"), "invalid_regex 1:2 the range z-a goes backwards");
  begins(Pattern("a{5,2}"), "invalid_regex 1:2 the count {5,2} is upside down");
  begins(Pattern("|*"), "invalid_regex 1:2 there is nothing before \"*\"");
  begins(Pattern("\\p{Klingon}"), "invalid_regex 1:3 no class of characters is called \"Klingon\"");
  begins(Pattern("a\\"), "invalid_regex 1:2 nothing follows the backslash");
  begins(Pattern("\xff"), "invalid_regex 1:1 the pattern is not UTF-8");
  begins(Pattern(std::string(1025, 'a')), "constraint_too_large 1:1 the pattern has 1025 bytes");
  for (const char* text :
       {"\\A",    "\\z",   "\\Z",         "(?P<a>b)", "(?i)a", "(?i:a)",     "\\1",
        "\\k<a>", "^*",    "[[:alpha:]]", "a{,3}",    "\\a",   "\\Qa\\E",    "\\01",
        "\\pL",   "(?=a)", "\\u12",       "\\c1",     "[\\1]", "\\p{Greek}", "[\\B]"})
    begins(pattern(text), "invalid_regex 1:");
}

TEST(Regex, what_matches_nothing_is_no_text) {
  EXPECT_EQ(Pattern("a^b").term, Term::none);
  EXPECT_EQ(Pattern("[^\\x00-\\x{10ffff}]").term, Term::none);
}

TEST(Regex, hostile_patterns_are_answered_in_few_steps) {
  const auto repeated = [](std::string_view part, size_t times) {
    std::string out;
    for (size_t n = 0; n < times; ++n) out += part;
    return out;
  };
  RegexOptions options;
  options.most_bytes = 70'000;
  const std::string words = repeated("(?:a?", 250) + repeated("\\b)*", 250);
  for (const std::string& text :
       {std::string("(a+)+$"), std::string("(x{1000}){1000}"), repeated("(", 60'000),
        repeated("(a", 250) + repeated(")*", 250), repeated("(^", 250) + repeated(")+", 250), words,
        repeated("\\p{L}", 800), repeated("(?i:\\p{L}\\b)", 300), repeated("[^\\p{L}\\p{N}]?", 300),
        repeated("a?", 500) + repeated("a", 500), repeated("(a|b)?", 600), repeated("a|", 30'000),
        repeated("(\\b|^a|$)", 400), repeated("a{0,1000000}", 300), repeated("[", 60'000),
        repeated("(?i)", 10'000)})
    for (RegexDialect dialect : {RegexDialect::re2, RegexDialect::ecma}) {
      options.search = dialect == RegexDialect::ecma;
      // 10 ms each on an idle machine.
      const Pattern pattern(text, dialect, options);
      EXPECT_LT(pattern.grammar.terms.size(), 10'000U) << text.substr(0, 40);
    }
}

}  // namespace
}  // namespace skein::constrain
