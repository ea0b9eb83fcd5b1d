#include "constrain/kbnf.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "constrain/language.h"

namespace skein::constrain {
namespace {

using Language = LanguageOf<add_kbnf>;

TEST(Kbnf, rules_end_in_semicolons) {
  Language grammar(R"(
(* a comment *)
start ::= "A" ['B'] { C | "D" } (E)? "F"+;
C ::= 'c'; E ::= "e"
  | "ee"; start ::= "other";
)");
  EXPECT_EQ(grammar.refusal(), "");
  for (const char* text : {"AF", "ABcDcF", "AeFF", "AeeF", "other"})
    EXPECT_TRUE(grammar.allows(text)) << text;
  for (const char* text : {"", "A", "BF", "AeeeF"}) EXPECT_FALSE(grammar.allows(text)) << text;
  EXPECT_TRUE(Language("start::='bb'|start'bb';").allows("bbbbbb"));
  EXPECT_TRUE(Language("start::=('{'start'}')?;").allows("{{}}"));
  EXPECT_TRUE(Language("start ::= '\\n\\t\\'\\\"\\\\\\u0020';").allows("\n\t'\"\\ "));
}

TEST(Kbnf, regexes_are_unescaped_first) {
  EXPECT_TRUE(Language("start::=#'[0-9]+''\\n';").allows("12\n"));
  EXPECT_TRUE(Language("start::=#\"\\\\A\\\\{( |\\n)*\\\\z\" 'x';").allows("{ \nx"));
  Language early("start::=#e'(.|\\n)+\\n\\n''a';");
  EXPECT_TRUE(early.allows("im\nper\n\na"));
  EXPECT_FALSE(early.allows("im\n\nper\n\na"));
  Language other("start ::= #ex\"[0-9]+\" '.';");
  EXPECT_TRUE(other.allows("1a."));
  EXPECT_FALSE(other.allows("12."));
  Language part("start::=#substrs'abcbc''\\n';");
  for (const char* text : {"bcb\n", "abcbc\n", "c\n"}) EXPECT_TRUE(part.allows(text)) << text;
  for (const char* text : {"ac\n", "bcbcb\n", "bb\n"}) EXPECT_FALSE(part.allows(text)) << text;
}

TEST(Kbnf, exceptions_hold_no_text) {
  Language grammar("start ::= except!('\\n\\n')'\\n\\n';");
  EXPECT_TRUE(grammar.allows("abc\nd\n\n"));
  EXPECT_FALSE(grammar.allows("abc\n\nd\n\n"));
  Language few("start ::= except!('x', 3) 'x';");
  EXPECT_TRUE(few.allows("abcx"));
  EXPECT_FALSE(few.allows("abcdx"));
}

TEST(Kbnf, problems_say_where_and_what) {
  const auto begins = [](std::string_view text, std::string_view expected) {
    const std::string refusal = Language(text).refusal();
    EXPECT_TRUE(refusal.starts_with(expected)) << text << ": " << refusal;
  };
  begins("", "invalid_grammar 1:1 there is no rule \"start\"");
  begins("start ::= a;", "invalid_grammar 1:11 the rule \"a\" is used but not defined");
  begins("start ::= 'a'", "invalid_grammar 1:1 the rule \"start\" has no ;");
  begins("start ::= ('a';", "invalid_grammar 1:15 expected a part of the rule");
  begins("start ::= ('a'", "invalid_grammar 1:11 the bracket has no )");
  begins("start ::= ['a');", "invalid_grammar 1:15 expected ]");
  begins("start ::= 'a;", "invalid_grammar 1:11 the ' has no second one");
  begins("start ::= '\\d';", "invalid_grammar 1:12 \"d\" behind the backslash");
  begins("start ::= #'(';", "invalid_regex 1:11 in the regex at 1:1: the ( has no )");
  begins("start ::= #foo'x';", "invalid_grammar 1:11 #foo cannot be used");
  begins("start ::= only!('x');", "invalid_grammar 1:11 only! cannot be used");
  begins("start ::= except!(C); C ::= 'c';", "invalid_grammar 1:19 except! takes a text");
  begins("start ::= start;", "unsatisfiable 1:1 no text follows");
  begins("(* start", "invalid_grammar 1:1 the (* has no *)");
  begins("start = 'a';", "invalid_grammar 1:7 expected ::=");
}

}  // namespace
}  // namespace skein::constrain
