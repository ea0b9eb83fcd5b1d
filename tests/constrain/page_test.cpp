// What docs/constraining.md shows is taken as it stands there.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "constrain/earley.h"
#include "constrain/grammar_text.h"

namespace skein::constrain {
namespace {

// The blocks of the page without a mark.
std::vector<std::string> plain_blocks() {
  std::ifstream file(std::string(SKEIN_SOURCE_DIR) + "/docs/constraining.md");
  std::vector<std::string> out;
  bool inside = false;
  bool plain = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("```")) {
      inside = !inside;
      plain = inside && line == "```";
      if (plain) out.emplace_back();
    } else if (plain) {
      out.back() += line + "\n";
    }
  }
  return out;
}

TEST(Page, its_grammars_mean_what_it_says) {
  int grammars = 0;
  for (const std::string& block : plain_blocks()) {
    if (!block.starts_with("root") && !block.starts_with("start")) continue;
    ++grammars;
    Grammar grammar;
    const auto term = add_grammar(grammar, block);
    ASSERT_TRUE(term) << term.error()[0].where << " " << term.error()[0].message;
    const bool is_gbnf = block.starts_with("root");
    EXPECT_EQ(language_of(block), is_gbnf ? GrammarLanguage::gbnf : GrammarLanguage::lark);
    for (const char* text : {"1+2*(3-4)", "12"})
      EXPECT_EQ(Earley(grammar).allows(*term, text), is_gbnf) << text;
    for (const char* text : {"a=1, B_b = true ,c=\"x\"", "a=false"})
      EXPECT_EQ(Earley(grammar).allows(*term, text), !is_gbnf) << text;
  }
  EXPECT_EQ(grammars, 2);
}

TEST(Page, the_language_of_a_grammar_is_told_by_its_first_rule) {
  for (const char* text : {"root ::= x", "  # c\n\nroot::=x", "a.b-c_d\n::= x", "# a: b\nx ::= y"})
    EXPECT_EQ(language_of(text), GrammarLanguage::gbnf) << text;
  for (const char* text :
       {"start: \"::=\"", "", "%import common.WS", "// a ::= b\nstart: x", "?start: x\nroot ::= y"})
    EXPECT_EQ(language_of(text), GrammarLanguage::lark) << text;
}

}  // namespace
}  // namespace skein::constrain
