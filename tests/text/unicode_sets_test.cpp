#include "text/unicode_sets.h"

#include <gtest/gtest.h>

namespace skein::text {
namespace {

bool holds(const std::vector<CodeRange>& ranges, char32_t c) {
  for (const CodeRange& range : ranges)
    if (range.first <= c && c <= range.last) return true;
  return false;
}

TEST(UnicodeSets, ranges_ascend_with_gaps_between) {
  for (const char* name : {"L", "Lu", "Nd", "C", "Zs", "Greek", "Common"}) {
    auto ranges = characters_of_category(name);
    if (ranges.empty()) ranges = characters_of_script(name);
    ASSERT_FALSE(ranges.empty()) << name;
    for (size_t n = 0; n < ranges.size(); ++n) {
      EXPECT_LE(ranges[n].first, ranges[n].last) << name;
      EXPECT_TRUE(n == 0 || ranges[n].first > ranges[n - 1].last) << name;
    }
  }
}

TEST(UnicodeSets, categories_and_scripts_have_their_characters) {
  EXPECT_TRUE(holds(characters_of_category("Lu"), U'É'));
  EXPECT_FALSE(holds(characters_of_category("Lu"), U'é'));
  EXPECT_TRUE(holds(characters_of_category("L"), U'中'));
  EXPECT_TRUE(holds(characters_of_script("Han"), U'中'));
  EXPECT_TRUE(holds(characters_of_script("Hiragana"), U'あ'));
  EXPECT_FALSE(holds(characters_of_script("Hiragana"), U'ア'));
  for (const char* name : {"", "X", "Lux", "l", "Klingon"}) {
    EXPECT_TRUE(characters_of_category(name).empty()) << name;
    EXPECT_TRUE(characters_of_script(name).empty()) << name;
  }
}

TEST(UnicodeSets, cases_are_those_of_simple_folding) {
  const auto others = [](char32_t c) {
    std::u32string out;
    for (const CasePair& pair : case_pairs(c, c)) out += pair.other;
    return out;
  };
  EXPECT_EQ(others(U'k'), U"K\u212a");
  EXPECT_EQ(others(U'ſ'), U"Ss");
  EXPECT_EQ(others(U'Σ'), U"ςσ");
  EXPECT_EQ(others(U'ß'), U"ẞ");
  // Turkish has a case for these, others have not.
  EXPECT_EQ(others(U'ı'), U"");
  EXPECT_EQ(others(U'İ'), U"");
  EXPECT_EQ(others(U'i'), U"I");
  EXPECT_EQ(others(U'5'), U"");
  EXPECT_EQ(case_pairs('a', 'b').size(), 2U);
}

}  // namespace
}  // namespace skein::text
