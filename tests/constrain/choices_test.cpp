#include "constrain/choices.h"

#include <gtest/gtest.h>

#include "constrain/language.h"

namespace skein::constrain {
namespace {

std::string refusal(const std::vector<std::string>& choices) {
  Grammar grammar;
  return refusal_of(add_choices(grammar, choices));
}

TEST(Choices, one_may_begin_another) {
  Grammar grammar;
  const std::vector<std::string> choices = {"ab", "a", "b\n", "\xc3\xa9", "\xc3\xa8", "a"};
  const auto term = add_choices(grammar, choices);
  ASSERT_TRUE(term);
  for (const std::string& choice : choices) EXPECT_TRUE(grammar.terms.matches(*term, choice));
  for (const char* other : {"", "b", "abb", "aa", "\xc3"})
    EXPECT_FALSE(grammar.terms.matches(*term, other)) << other;
}

TEST(Choices, many_are_one_trie) {
  Grammar grammar;
  std::vector<std::string> choices;
  for (int n = 0; n < 10'000; ++n) choices.push_back("choice number " + std::to_string(n));
  const auto term = add_choices(grammar, choices);
  ASSERT_TRUE(term);
  EXPECT_LT(grammar.terms.size(), 60'000U);
  EXPECT_TRUE(grammar.terms.matches(*term, "choice number 4321"));
  EXPECT_FALSE(grammar.terms.matches(*term, "choice number 10000"));
}

TEST(Choices, what_is_wrong_is_said) {
  EXPECT_EQ(refusal({}), "unsatisfiable  there is nothing to choose from");
  EXPECT_EQ(refusal({"a", ""}), "invalid_grammar [1] an empty text cannot be chosen");
  EXPECT_EQ(refusal({"a", "b", "\xff"}), "invalid_grammar [2] the text is not UTF-8");
  EXPECT_EQ(refusal(std::vector<std::string>(10'001, "a")),
            "constraint_too_large  there are 10001 choices; at most 10000 are taken");
  EXPECT_EQ(refusal({std::string(1'000'000, 'a'), std::string(50'000, 'b')}),
            "constraint_too_large [1] the choices have more than 1048576 bytes together");
}

}  // namespace
}  // namespace skein::constrain
