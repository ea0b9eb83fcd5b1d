// Whole grammars as people write them, from their text to the words that may come next.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>

#include "constrain/choices.h"
#include "constrain/earley.h"
#include "constrain/grammar_text.h"
#include "constrain/kbnf.h"
#include "constrain/matcher.h"
#include "constrain/regex.h"
#include "text/support.h"

namespace skein::constrain {
namespace {

template <typename T>
T must(Result<T> result) {
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return result ? *std::move(result) : T{};
}

const std::shared_ptr<const Words>& words() {
  static const auto kWords = std::make_shared<const Words>([] {
    const std::string text = text::test::small_vocab({"(1",    "+2",
                                                      "))",    "12",
                                                      "*(",    "\": ",
                                                      "{\"",   "true",
                                                      "null",  "}, {",
                                                      "]]",    "[[",
                                                      "\n  ",  "e4",
                                                      "Nf3",   "O-O",
                                                      " Nc6",  "1. ",
                                                      "aa",    "aaaa",
                                                      "a,a",   ", ",
                                                      "xxxx",  "xxxxxxxxxxxxxxxx",
                                                      "the ",  "\xc3\xa9t\xc3\xa9",
                                                      "\",\"", "0.5",
                                                      "-1",    "and",
                                                      "an",    "item"});
    return text::test::must(text::world_from_vocab_file(text::test::as_bytes(text), "words"));
  }());
  return kWords;
}

using Front = Checked<Term> (*)(Grammar&, std::string_view);

Checked<Term> from_text(Grammar& grammar, std::string_view text) {
  return add_grammar(grammar, text);
}
Checked<Term> from_kbnf(Grammar& grammar, std::string_view text) { return add_kbnf(grammar, text); }
Checked<Term> from_regex(Grammar& grammar, std::string_view text) {
  return add_regex(grammar, text, RegexDialect::re2);
}
Checked<Term> from_choices(Grammar& grammar, std::string_view text) {
  std::vector<std::string> choices(1);
  for (char c : text) {
    if (c == '|')
      choices.emplace_back();
    else
      choices.back() += c;
  }
  return add_choices(grammar, choices);
}

struct Case {
  const char* name;
  Front front;
  const char* grammar;
  std::vector<std::string> allowed;
  std::vector<std::string> refused;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases = {
      {"arithmetic",
       from_text,
       R"TEXT(# sums of products
root ::= sum
sum ::= sum ("+" | "-") product | product
product ::= product ("*" | "/") factor | factor
factor ::= [0-9]+ | "(" sum ")" | "-" factor
)TEXT",
       {"1", "1+2*3", "(1+2)*-(3-4)/5", "((((1))))", "--1"},
       {"", "1+", "(1", "1)", "*1", "1 + 2"}},
      {"arithmetic in Lark",
       from_text,
       R"TEXT(
start: sum
?sum: product | sum "+" product | sum "-" product
?product: factor (("*" | "/") factor)*
?factor: NUMBER | "(" sum ")" | "-" factor
%import common.NUMBER
%import common.WS
%ignore WS
)TEXT",
       {"1", "1 + 2 * 3", "( 1+2 ) *\n-(3.5 - 4e3)", "--1"},
       {"", "1 +", " 1", "1 ", "1 2"}},
      {"JSON",
       from_text,
       R"TEXT(
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
array  ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws ::= | " " | "\n" [ \t]{0,20}
)TEXT",
       {"{}", "{\"a\": [1, -2.5e3, {\"b\": null}],\n  \"\\u00e9\": \"\xc3\xa9\"}", "{ }\n"},
       {"", "[]", "{\"a\" 1}", "{\"a\": 01}", "{\"a\": 1,}", "{\"a\": \"\n\"}", "{}  "}},
      {"chess",
       from_text,
       R"TEXT(
# Moves as people write them down: "1. e4 e5\n2. Nf3 Nc6\n"
root ::= "1. " move " " move "\n" ([1-9] [0-9]? ". " move " " move "\n")+
move ::= (pawn | nonpawn | castle) [+#]?
pawn ::= ([a-h] "x")? [a-h] [1-8] ("=" [NBKQR])?
nonpawn ::= [NBKQR] [a-h]? [1-8]? "x"? [a-h] [1-8]
castle ::= "O-O" "-O"?
)TEXT",
       {"1. e4 e5\n2. Nf3 Nc6\n", "1. d4 Nf6\n2. exd5 O-O-O+\n10. e8=Q Rae1#\n"},
       {"1. e4 e5\n", "1. e9 e5\n2. Nf3 Nc6\n", "1. e4\n2. Nf3 Nc6\n"}},
      {"left recursive list",
       from_text,
       "root ::= list\nlist ::= list \", \" item | item\n"
       "item ::= \"item\" | \"a\"+\n",
       {"item", "a, item, aaaa"},
       {"", "item,", "item, ", ", a"}},
      {"ambiguous",
       from_text,
       "root ::= root root | \"a\" | \"aa\" | \"\"",
       {"", "a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
       {"b", "ab"}},
      {"two of the same",
       from_text,
       "root ::= x | y\nx ::= \"a\"* \"b\"\ny ::= \"a\" y | \"c\"",
       {"b", "c", "aaaab", "aaaac"},
       {"aaaa", "bc"}},
      {"palindromes",
       from_text,
       "root ::= \"a\" root \"a\" | \"x\" root \"x\" | \"a\"? | \"x\"",
       {"", "a", "axxa", "axaxa"},
       {"ax", "axax"}},
      {"KBNF",
       from_kbnf,
       "start ::= '(' [list] ')'; list ::= #'[0-9]+' {', ' #'[0-9]+'};",
       {"()", "(1)", "(12, 3)"},
       {"(", "(1,2)", "(1, )"}},
      {"regex",
       from_regex,
       "(the |an )?[a-z]{2,5}(, (\xc3\xa9t\xc3\xa9|\\d{1,3}))*",
       {"the item", "an ab, 12, \xc3\xa9t\xc3\xa9", "theme"},
       {"the ", "abcdefgh", "ab, 1234"}},
      {"choices",
       from_choices,
       "a|aa|aaaaa|an|and|\xc3\xa9t\xc3\xa9",
       {"a", "aa", "aaaaa", "an", "and", "\xc3\xa9t\xc3\xa9"},
       {"", "aaa", "aaaa", "ands", "\xc3\xa9"}},
  };
  return kCases;
}

ConstraintPtr compiled(const Case& what) {
  Grammar grammar;
  const auto term = what.front(grammar, what.grammar);
  EXPECT_TRUE(term) << what.name << ": "
                    << (term ? "" : term.error()[0].where + " " + term.error()[0].message);
  if (!term) return nullptr;
  grammar.root = *term;
  auto constraint = Constraint::make(std::move(grammar), words());
  EXPECT_TRUE(constraint) << what.name << ": " << (constraint ? "" : constraint.error()[0].message);
  return constraint ? *constraint : nullptr;
}

TEST(WholeGrammars, allow_what_they_say) {
  for (const Case& what : cases()) {
    const ConstraintPtr constraint = compiled(what);
    ASSERT_TRUE(constraint) << what.name;
    for (const std::string& text : what.allowed) {
      Matcher matcher(constraint);
      EXPECT_TRUE(must(matcher.accept_bytes(text)) && must(matcher.can_end()))
          << what.name << ": " << text;
    }
    for (const std::string& text : what.refused) {
      Matcher matcher(constraint);
      EXPECT_FALSE(must(matcher.accept_bytes(text)) && must(matcher.can_end()))
          << what.name << ": " << text;
    }
  }
}

// A random answer under the mask. It ends where it may, sooner or later; nullopt: not yet.
std::optional<std::string> random_answer(const ConstraintPtr& constraint, std::mt19937& random) {
  Matcher matcher(constraint);
  for (int step = 0; step < 80; ++step) {
    const MaskPtr mask = must(matcher.mask());
    const bool can_end = must(matcher.can_end());
    if (mask->allowed == 0) {
      EXPECT_TRUE(can_end);
      return std::string(matcher.text());
    }
    if (can_end && random() % 4 == 0) return std::string(matcher.text());
    auto skip = static_cast<int32_t>(random() % static_cast<uint32_t>(mask->allowed));
    int32_t id = 0;
    while (!mask->ids[id] || skip-- > 0) ++id;
    EXPECT_TRUE(must(matcher.accept(id)));
  }
  return std::nullopt;
}

TEST(WholeGrammars, answers_under_the_mask_are_texts_of_the_grammar) {
  std::mt19937 random(4);
  for (const Case& what : cases()) {
    const ConstraintPtr constraint = compiled(what);
    ASSERT_TRUE(constraint) << what.name;
    Grammar grammar;
    const auto term = what.front(grammar, what.grammar);
    int ended = 0;
    for (int n = 0; n < 40; ++n) {
      const auto answer = random_answer(constraint, random);
      if (!answer) continue;
      ++ended;
      ASSERT_TRUE(Earley(grammar).allows(*term, *answer)) << what.name << ": " << *answer;
    }
    EXPECT_GT(ended, 5) << what.name;
  }
}

TEST(WholeGrammars, a_choice_that_begins_another_is_reachable_and_not_the_end) {
  const Case two{"two", from_choices, "a|aaaa", {}, {}};
  Matcher matcher(compiled(two));
  EXPECT_FALSE(must(matcher.can_end()));
  ASSERT_TRUE(must(matcher.accept_bytes("a")));
  EXPECT_TRUE(must(matcher.can_end()));
  EXPECT_FALSE(must(matcher.must_end()));
  ASSERT_TRUE(must(matcher.accept_bytes("aaa")));
  EXPECT_TRUE(must(matcher.must_end()));
}

TEST(WholeGrammars, counts_hold_word_by_word) {
  const Case many{"many", from_text, "root ::= \"x\"{0,2000} \"y\"", {}, {}};
  Matcher matcher(compiled(many));
  ASSERT_TRUE(must(matcher.accept_bytes(std::string(1990, 'x'))));
  const auto id_of = [](std::string_view word) {
    for (int32_t id = 0; id < words()->size(); ++id)
      if (words()->bytes_of(id) == word) return id;
    return -1;
  };
  EXPECT_TRUE(must(matcher.mask())->ids[id_of("xxxx")]);
  EXPECT_FALSE(must(matcher.mask())->ids[id_of("xxxxxxxxxxxxxxxx")]);
  ASSERT_TRUE(must(matcher.accept_bytes("xxxxxxxxxx")));
  EXPECT_EQ(must(matcher.mask())->allowed, 1);
  EXPECT_EQ(must(matcher.forced_bytes()), "y");
}

TEST(WholeGrammars, hostile_ones_are_answered_or_refused) {
  const auto repeated = [](std::string_view part, size_t times) {
    std::string out;
    for (size_t n = 0; n < times; ++n) out += part;
    return out;
  };
  std::string chain = "root ::= r0\n";
  for (int n = 0; n < 3'000; ++n)
    chain += "r" + std::to_string(n) + "::=r" + std::to_string(n + 1) + "|\"x\" r0\n";
  chain += "r3000::=\"y\"";
  std::string doubled = "root ::= d20\nd0 ::= \"x\"?\n";
  for (int n = 1; n <= 20; ++n) {
    const std::string before = "d" + std::to_string(n - 1);
    doubled += "d" + std::to_string(n) + " ::= " + before + " " + before + "\n";
  }
  const std::string texts[] = {
      chain,
      doubled,
      "root ::= (\"\")* (root? root?)* \"x\"?",
      "root ::= ((((\"x\"*)*)*)* | (\"x\"?){1000}){1000000}",
      "root ::= " + repeated("\"x\"? ", 300),
      "root ::= " + repeated("(\"x\" | ", 250) + "\"y\"" + repeated(")*", 250),
      "root ::= a{1000} b{1000}\na ::= \"x\" | b\nb ::= \"x\" \"x\"? | a",
      "start: " + repeated("a? ", 200) + "\na: \"x\"\n%ignore /(x+)+/",
      "start: A B\nA: /(x+x+)+y?/\nB[lazy]: /(x|xx)*y/",
  };
  for (const std::string& text : texts) {
    Grammar grammar;
    const auto term = from_text(grammar, text);
    ASSERT_TRUE(term) << text.substr(0, 60) << term.error()[0].message;
    grammar.root = *term;
    const auto constraint = Constraint::make(std::move(grammar), words());
    if (!constraint) {
      EXPECT_EQ(constraint.error()[0].code, "constraint_too_large") << text.substr(0, 60);
      continue;
    }
    Matcher matcher(*constraint);
    for (int n = 0; n < 50; ++n) {
      const auto mask = matcher.mask();
      if (!mask) {
        EXPECT_EQ(mask.error().code, Code::unsupported) << text.substr(0, 60);
        break;
      }
      const auto read = matcher.accept_bytes("x");
      if (!read || !*read) break;
    }
    EXPECT_LT((*constraint)->bytes_held(), size_t{200} << 20) << text.substr(0, 60);
  }
}

}  // namespace
}  // namespace skein::constrain
