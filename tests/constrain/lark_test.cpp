#include "constrain/lark.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "constrain/language.h"
#include "constrain/lark_common.h"
#include "constrain/regex.h"

namespace skein::constrain {
namespace {

using Language = LanguageOf<add_lark>;

TEST(Lark, rules_and_terminals) {
  Language grammar(R"(
// what a sum is
start: sum            # both kinds of comment
?sum: product
    | sum "+" product -> add
!product: NUMBER | product "*" NUMBER
NUMBER: DIGIT+
DIGIT: "0".."9"
)");
  EXPECT_EQ(grammar.refusal(), "");
  for (const char* text : {"1", "12+3*4", "1*2*3+4"}) EXPECT_TRUE(grammar.allows(text)) << text;
  for (const char* text : {"", "1+", "1 + 2", "+1"}) EXPECT_FALSE(grammar.allows(text)) << text;
}

TEST(Lark, texts_and_regexes) {
  EXPECT_TRUE(Language("start: \"a\\n\\t\\\"\\\\\\x41\\u00e9\"").allows("a\n\t\"\\A\xc3\xa9"));
  EXPECT_TRUE(Language("start: \"stra\xc3\x9f"
                       "e\"i")
                  .allows("STRA\xe1\xba\x9e"
                          "E"));
  EXPECT_FALSE(Language("start: \"select\"").allows("SELECT"));
  EXPECT_TRUE(Language("start: /a\\/b[0-9]{2}/").allows("a/b42"));
  EXPECT_TRUE(Language("start: /ab.c/is").allows("aB\nC"));
  EXPECT_TRUE(Language("start: /\\w+/u \"\xc3\xa0\"..\"\xc3\xbf\"").allows("word\xc3\xa9"));
}

TEST(Lark, repetitions) {
  Language grammar(
      "start: \"a\"? [\"b\"] (\"c\" | \"d\")* \"e\"+ \"f\"~2 \"g\"~1..2 \"h\"{2} \"i\"{,2}");
  EXPECT_TRUE(grammar.allows("abcdeffghh"));
  EXPECT_TRUE(grammar.allows("effgghhii"));
  EXPECT_FALSE(grammar.allows("efghh"));
  EXPECT_FALSE(grammar.allows("effggghh"));
  EXPECT_FALSE(grammar.allows("effghhiii"));
}

TEST(Lark, what_is_ignored_stands_between_terminals) {
  Language grammar(R"(
start: "[" [item ("," item)*] "]" EMPTY?
item: NAME | start
NAME: LETTER+ ("-" LETTER)*
LETTER: /[a-z]/
EMPTY: "!"
%ignore / +/
%ignore "~"
)");
  EXPECT_EQ(grammar.refusal(), "");
  for (const char* text : {"[]", "[ ]", "[a,b]", "[ a , ~b,[ ] ]", "[a-b ]", "[a]  !", "[[]!,a]!"})
    EXPECT_TRUE(grammar.allows(text)) << text;
  for (const char* text : {" []", "[] ", "[a -b]", "[a b]", "[a]! ", "~[]"})
    EXPECT_FALSE(grammar.allows(text)) << text;
}

TEST(Lark, nothing_ignored_comes_first_even_behind_empty_parts) {
  Language grammar("start: a? b* \"x\"\na: \"a\"\nb: [\"b\"]\n%ignore \" \"");
  for (const char* text : {"x", "a x", "a b b x", "b x"}) EXPECT_TRUE(grammar.allows(text)) << text;
  for (const char* text : {" x", " a x", " b x", "a x "})
    EXPECT_FALSE(grammar.allows(text)) << text;
  Language empty("start: a*\na: \"a\"\n%ignore \" \"");
  EXPECT_TRUE(empty.allows(""));
  EXPECT_FALSE(empty.allows(" "));
  EXPECT_TRUE(empty.allows("a  a"));
  Language left("start: start \",\" start | \"x\" | \n%ignore \" \"");
  EXPECT_TRUE(left.allows(", x"));
  EXPECT_TRUE(left.allows("x , ,x"));
  EXPECT_FALSE(left.allows(" x"));
}

TEST(Lark, lazy_terminals_end_as_soon_as_they_can) {
  Language quote("start: body \".\"\nbody[lazy]: /[^.]*\"/");
  EXPECT_TRUE(quote.allows("abc\"."));
  EXPECT_FALSE(quote.allows("abc\"d\"."));
  Language suffix("start: text \"x\"\ntext[suffix=\"</t>\"]: /(?s:.*)/");
  EXPECT_TRUE(suffix.allows("ab<</t>x"));
  EXPECT_FALSE(suffix.allows("a</t>b</t>x"));
  EXPECT_TRUE(Language("start: A\nA[lazy]: B+\nB: \"b\"").allows("b"));
  EXPECT_FALSE(Language("start: A\nA[lazy]: B+\nB: \"b\"").allows("bb"));
  EXPECT_TRUE(Language("start[capture, lazy]: \"b\"*").allows(""));
}

TEST(Lark, common_terminals_can_be_imported) {
  Language grammar(R"(
%import common.SIGNED_NUMBER
%import common (ESCAPED_STRING, WS)
%import common.CNAME -> NAME
start: NAME "=" (SIGNED_NUMBER | ESCAPED_STRING)
%ignore WS
)");
  EXPECT_EQ(grammar.refusal(), "");
  for (const char* text : {"a_1 = -1.5e+3", "_x=\"a\\\"b\"", "x\n=\n.5", "x=\"\""})
    EXPECT_TRUE(grammar.allows(text)) << text;
  for (const char* text : {"1=1", "x=\"a", "x=\"a\"b\"", "x=1.e", "x=\"\\\""})
    EXPECT_FALSE(grammar.allows(text)) << text;
  for (const char* name : {"DIGIT",
                           "HEXDIGIT",
                           "INT",
                           "SIGNED_INT",
                           "DECIMAL",
                           "FLOAT",
                           "SIGNED_FLOAT",
                           "NUMBER",
                           "SIGNED_NUMBER",
                           "ESCAPED_STRING",
                           "LCASE_LETTER",
                           "UCASE_LETTER",
                           "LETTER",
                           "WORD",
                           "CNAME",
                           "WS_INLINE",
                           "WS",
                           "CR",
                           "LF",
                           "NEWLINE",
                           "SH_COMMENT",
                           "CPP_COMMENT",
                           "C_COMMENT",
                           "SQL_COMMENT"}) {
    Grammar alone;
    ASSERT_TRUE(lark_common(name)) << name;
    const auto term = add_regex(alone, *lark_common(name), RegexDialect::re2);
    ASSERT_TRUE(term) << name;
    EXPECT_EQ(alone.terms.is_none(*term), false) << name;
    EXPECT_FALSE(alone.terms.nullable(*term)) << name;
  }
  Language comment("%import common.C_COMMENT\nstart: C_COMMENT");
  EXPECT_TRUE(comment.allows("/* a **b/ ***/"));
  EXPECT_FALSE(comment.allows("/* a */ */"));
}

TEST(Lark, tokens_stand_in_rules) {
  GrammarOptions options;
  options.token_named = [](std::string_view name) -> std::optional<int32_t> {
    if (name == "<|end|>") return 9;
    return std::nullopt;
  };
  EXPECT_EQ(Language("start: <|end|> <[1,3-5]> <[^7-9]> <[*]>", options).refusal(), "");
  EXPECT_TRUE(Language("start: A\nA: <[1]>", options)
                  .refusal()
                  .starts_with("invalid_grammar 2:4 tokens stand in rules only"));
  EXPECT_TRUE(Language("start: <[5-3]>", options)
                  .refusal()
                  .starts_with("invalid_grammar 1:8 that is no range"));
  EXPECT_TRUE(Language("start: <[0-999999999]>", options)
                  .refusal()
                  .starts_with("invalid_grammar 1:8 that is no range"));
}

TEST(Lark, schemas_stand_in_rules) {
  Language grammar(R"(
start: "f" %json {
  "type": "object", "properties": {"a}\"": {"const": "}\\\""}}, "required": ["a}\""]
} "g" %json {"type": "integer"}
%ignore " "
)");
  EXPECT_EQ(grammar.refusal(), "");
  EXPECT_TRUE(grammar.allows("f{\"a}\\\"\":\"}\\\\\\\"\"}g 12"));
  EXPECT_FALSE(grammar.allows("f{}g12"));
  EXPECT_TRUE(Language("start: %json {\"not\": 1}")
                  .refusal()
                  .starts_with("invalid_schema 1:8 in the schema at #/not: "));
  EXPECT_TRUE(Language("start: %json {\"a\": ")
                  .refusal()
                  .starts_with("invalid_grammar 1:8 the { of the schema has no }"));
}

TEST(Lark, what_cannot_be_used_is_refused_by_name) {
  const auto begins = [](std::string_view text, std::string_view expected) {
    const std::string refusal = Language(text).refusal();
    EXPECT_TRUE(refusal.starts_with(expected)) << text << ": " << refusal;
  };
  begins("start: _sep{a, \",\"}", "invalid_grammar 1:12 templates");
  begins("_sep{x, y}: x\nstart: \"a\"", "invalid_grammar 1:5 templates");
  begins("start: A\nA.2: \"a\"", "invalid_grammar 2:2 priorities");
  begins("start::a: \"x\"", "invalid_grammar 1:6 rules with parameters");
  begins("start: a::1", "invalid_grammar 1:9 rules with parameters");
  begins("start: /a(?=b)/", "invalid_regex 1:10 looking ahead");
  begins("start: /.*?b/", "invalid_regex 1:10 lazy quantifiers");
  begins("start: /a/x", "invalid_grammar 1:8 the flag x");
  begins("%import python.NAME\nstart: NAME", "invalid_grammar 1:9 imports from other modules");
  begins("%import common.NOPE\nstart: NOPE", "invalid_grammar 1:16 the module common has no");
  begins("start[stop=\"x\"]: /.*/", "invalid_grammar 1:7 \"stop\" cannot be used");
  begins("start[temperature=0.7]: /.*/", "invalid_grammar 1:7 \"temperature\" cannot be used");
  begins("start[max_tokens=5]: /.*/", "invalid_grammar 1:7 \"max_tokens\" cannot be used");
  begins("%declare X", "invalid_grammar 1:1 %declare cannot be used");
  begins("%llguidance {\"no_forcing\": true}", "invalid_grammar 1:1 options of %llguidance");
  begins("start: %regex {\"substring_chars\": \"a\"}", "invalid_grammar 1:8 %regex cannot be used");
  begins("start: A & B", "invalid_grammar 1:10 the operator &");
  begins("start: ~A", "invalid_grammar 1:8 the operator ~");
  begins("start: @other", "invalid_grammar 1:8 other grammars");
  EXPECT_EQ(Language("%llguidance {}\nstart: \"a\"").refusal(), "");
}

TEST(Lark, problems_say_where_and_what) {
  const auto begins = [](std::string_view text, std::string_view expected) {
    const std::string refusal = Language(text).refusal();
    EXPECT_TRUE(refusal.starts_with(expected)) << text << ": " << refusal;
  };
  begins("", "invalid_grammar 1:1 there is no rule \"start\"");
  begins("start: a", "invalid_grammar 1:8 the rule \"a\" is used but not defined");
  begins("start: start", "unsatisfiable 1:1 no text follows \"start\"");
  begins("start: A\nA: B\nB: A", "invalid_grammar 1:8 the terminal \"A\" uses itself");
  begins("start: A\nA: b\nb: \"x\"", "invalid_grammar 1:8 the terminal \"A\" uses the rule \"b\"");
  begins("start: \"a", "invalid_grammar 1:8 the \" has no second one");
  begins("start: /a", "invalid_grammar 1:8 the / has no second one");
  begins("start: /\xc3\xa9[b-a]/", "invalid_regex 1:11 the range b-a goes backwards");
  begins("start: (\"a\"", "invalid_grammar 1:8 the bracket has no )");
  begins("start: (\"a\"]", "invalid_grammar 1:12 expected ), found \"]\"");
  begins("start: \"a\")", "invalid_grammar 1:11 the ) closes nothing");
  begins("start: (\"a\"\nb: \"c\"", "invalid_grammar 2:1 a new rule begins");
  begins("start: *", "invalid_grammar 1:8 there is nothing before \"*\"");
  begins("start: \"a\"~3..2", "invalid_grammar 1:11 the counts ~3..2 are upside down");
  begins("start: \"b\"..\"a\"", "invalid_grammar 1:8 the range \"b\"..\"a\" goes backwards");
  begins("start: \"ab\"..\"c\"", "invalid_grammar 1:8 a range goes from one character");
  begins("start: \"\\q\"", "invalid_grammar 1:9 \"q\" behind the backslash");
  begins("start \"a\"", "invalid_grammar 1:7 expected : behind \"start\", found '\"'");
  begins("start: \"a\"\nstart: \"b\"", "invalid_grammar 2:1 \"start\" is defined twice");
  begins("start: 'a'", "invalid_grammar 1:8 texts stand in double quotes");
  begins("start: $", "invalid_grammar 1:8 expected a part of the rule");
  begins("= x", "invalid_grammar 1:1 expected the name of a rule");
  begins("start: \"a\"\n%ignore B", "invalid_grammar 2:9 the rule \"B\" is used but not defined");
}

TEST(Lark, hostile_texts_stay_small) {
  const auto repeated = [](std::string_view part, size_t times) {
    std::string out;
    for (size_t n = 0; n < times; ++n) out += part;
    return out;
  };
  const auto size_of = [](const std::string& text) { return Language(text).grammar.terms.size(); };
  EXPECT_LT(size_of("start: " + repeated("(", 60'000)), 100U);
  EXPECT_LT(size_of("start: " + repeated("[", 60'000)), 100U);
  std::string doubled = "start: D60\nD0: \"x\"\n";
  for (int n = 1; n <= 60; ++n) {
    const std::string before = "D" + std::to_string(n - 1);
    doubled += "D" + std::to_string(n) + ": " + before + " " + before + "\n";
  }
  EXPECT_LT(size_of(doubled), 10'000U);
  EXPECT_TRUE(Language(doubled + "start2[lazy]: D60").refusal().empty());
  EXPECT_TRUE(Language("start: a\n" + doubled.substr(11) + "a[lazy]: D60")
                  .refusal()
                  .starts_with("constraint_too_large"));
  EXPECT_LT(size_of("start: " + repeated("a? ", 15'000) + "\na: \"x\"\n%ignore \" \""), 100'000U);
  EXPECT_EQ(
      Language("start: " + repeated("a? ", 257) + "\na: \"x\"\n%ignore \" \"").refusal(),
      "constraint_too_large 1:1 \"start\" begins with more than 256 parts that may be left out, "
      "while something is ignored");
  EXPECT_LT(size_of("start: " + repeated("\"a\" | ", 10'000) + "\n%ignore /( +)+/"), 10'000U);
  EXPECT_LT(size_of("start: " + repeated("%json {\n", 7'000)), 100U);
}

}  // namespace
}  // namespace skein::constrain
