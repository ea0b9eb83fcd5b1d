// Regular expressions, judged by RE2: whole texts over small alphabets, and random patterns.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "constrain/regex.h"
#include "text/unicode.h"

#ifdef SKEIN_RE2
#include <re2/re2.h>
#endif

namespace skein::constrain {
namespace {

#ifdef SKEIN_RE2

// Every text of at most `length` of these letters.
std::vector<std::string> texts_of(const std::vector<std::string>& letters, size_t length) {
  std::vector<std::string> out = {""};
  size_t from = 0;
  for (size_t n = 0; n < length; ++n) {
    const size_t to = out.size();
    for (; from < to; ++from)
      for (const std::string& letter : letters) out.push_back(out[from] + letter);
  }
  return out;
}

// "" if both agree about the pattern and all texts.
std::string difference(const std::string& pattern, const std::vector<std::string>& texts) {
  RE2::Options quiet;
  quiet.set_log_errors(false);
  const RE2 judge(pattern, quiet);
  Grammar grammar;
  const auto term = add_regex(grammar, pattern, RegexDialect::re2);
  if (!term)
    return judge.ok() ? "refused: " + term.error()[0].where + " " + term.error()[0].message : "";
  if (!judge.ok()) return "taken, but " + judge.error();
  for (const std::string& text : texts)
    if (grammar.terms.matches(*term, text) != RE2::FullMatch(text, judge))
      return "differs at \"" + escaped(text) + "\"";
  return "";
}

TEST(RegexRe2, patterns_mean_what_they_mean_to_re2) {
  const std::vector<std::string> texts = texts_of({"a", "b", "K", "_", "\n", "\xc3\xa9"}, 5);
  for (const char* pattern : {"",
                              "a",
                              "a|b",
                              "(a|b)*",
                              "a*?b+?",
                              "a{2}",
                              "a{2,}",
                              "a{0,3}b",
                              "(ab?){2,3}",
                              "(a*)*",
                              "(a+)+$",
                              "(a|ab)(b|)",
                              "[^a]*",
                              ".*",
                              "(?s).*",
                              "(?s:.)a",
                              "(?i)k+",
                              "(?i)[a-k]*",
                              "(?i)[^K]*",
                              "(?i:k)K",
                              "(?U)a*b",
                              "\\w*",
                              "\\W*",
                              "\\s",
                              "[[:upper:]]*",
                              "[[:^upper:]]*",
                              "[\\W\\d]+",
                              "[^\\W_]+",
                              "\\pL*",
                              "\\p{Lu}+",
                              "\\P{Lu}+",
                              "\\p{^Lu}+",
                              "\\p{Latin}*",
                              "\\x61\\x{e9}",
                              "\\141",
                              "\\Qa|b\\E",
                              "a||b",
                              "()",
                              "(|a)+",
                              "(|a)+b",
                              "(?:)*",
                              "[]a]*",
                              "[a-]",
                              "[-a]*",
                              "[\\w-b]*",
                              "a{,2}",
                              "a{",
                              "{",
                              "}",
                              "]",
                              "x{0}",
                              "(a|b){0}",
                              "^a",
                              "a$",
                              "^$",
                              "^^a$$",
                              "a^b",
                              "a$b",
                              "(^a|b)*",
                              "(a$|b)*",
                              "(^|a)b",
                              "(a|$)(b|$)",
                              "^*a",
                              "(^)*a$",
                              "(?:^a|^b|ab)+",
                              "(a|^)(b|^)K",
                              "((a$)|b)+",
                              "(a?$)*",
                              "(^a?){2,4}",
                              "(^a?b?){3}",
                              "(a|b$){2,3}",
                              "\\Aa\\z",
                              "a\\z|\\Ab",
                              "(?m)^a$",
                              "(?m)a$\\n^b",
                              "(?m)(^a$\\n?)*",
                              "(?m)(?:^a|b$|\\n)+",
                              "(?m)a^b",
                              "(?m)\\A^a\\n$",
                              "(?m)^*",
                              "(?m)(^|a)\\n($|b)",
                              "\\ba\\b",
                              "\\Ba",
                              "a\\B",
                              "a\\bb",
                              "a\\b\\n\\bb",
                              "(\\ba+\\b|\\n)*",
                              "(a\\b|\\Bb|\\n)*",
                              "\\b(a|\\n)*\\b",
                              "(\\b|a)+",
                              "(\\ba\\n?){2,3}",
                              "\\b",
                              "\\B",
                              "^\\B$",
                              "(?m)(^\\ba|\\b$|\\n)*",
                              "(a\\b\xc3\xa9)*",
                              "(?:\\b[aK]{2,3}\\b.?)+",
                              "[^\\n]*\\bK",
                              "(?i)\\bk\\w",
                              "(",
                              ")",
                              "a)",
                              "[",
                              "[a",
                              "[b-a]",
                              "*",
                              "a**",
                              "a*+",
                              "a|*",
                              "a{2}{3}",
                              "a{3,2}",
                              "\\",
                              "\\1",
                              "(a)\\1",
                              "(?=a)",
                              "(?!a)",
                              "(?<=a)",
                              "(?>a)",
                              "(?P<n>a)",
                              "(?P<n>a)(?P<n>b)",
                              "(?",
                              "(?z)",
                              "(?i-)",
                              "(?-i)a",
                              "(?i-s:a)",
                              "\\8",
                              "\\y",
                              "\\_",
                              "\\xg",
                              "\\x{110000}",
                              "[[:bad:]]",
                              "\\p{Bad}",
                              "[a-\\d]",
                              "(?P=n)",
                              "(?P<1>a)",
                              "\\u0061",
                              "(?#a)"})
    EXPECT_EQ(difference(pattern, texts), "") << pattern;
}

TEST(RegexRe2, classes_hold_the_same_characters) {
  std::vector<std::string> characters;
  for (uint32_t c = 0; c < 0x30000; c += c < 0x3000 ? 1 : 7) {
    if (c >= 0xd800 && c < 0xe000) continue;
    text::append_utf8(characters.emplace_back(), c);
  }
  for (const char* pattern : {".",
                              "\\d",
                              "\\D",
                              "\\s",
                              "\\S",
                              "\\w",
                              "\\W",
                              "[[:space:]]",
                              "[[:punct:]]",
                              "[[:graph:]]",
                              "[[:word:]]",
                              "[[:cntrl:]]",
                              "(?i)\\w",
                              "(?i)\\W",
                              "(?i)s",
                              "(?i)[\\x{390}-\\x{3f4}]",
                              "(?i)[^\\x{100}-\\x{200}]",
                              "(?i)[\\x{10a0}-\\x{13ff}]",
                              "(?i)\\p{Lu}",
                              "\\p{Greek}",
                              "\\p{Cyrillic}",
                              "\\P{Han}",
                              "\\p{Common}",
                              "\\p{Zs}",
                              "\\p{N}",
                              "\\p{M}",
                              "\\p{Any}"})
    EXPECT_EQ(difference(pattern, characters), "") << pattern;
}

// A pattern that is nearly always well formed.
std::string random_pattern(std::mt19937& random, int depth) {
  const auto pick = [&](uint32_t count) { return static_cast<uint32_t>(random() % count); };
  static const char* const kAtoms[] = {"a",   "b",   ".",      "[^a]",   "\n",     "\\w",   "[aK]",
                                       "^",   "$",   "\\b",    "\\B",    "\\W",    "K",     "",
                                       "\\A", "\\z", "(?i:k)", "(?m:^)", "(?m:$)", "(?s:.)"};
  static const char* const kCounts[] = {"*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?"};
  if (depth == 0 || pick(4) == 0) return kAtoms[pick(std::size(kAtoms))];
  switch (pick(4)) {
    case 0: return random_pattern(random, depth - 1) + "|" + random_pattern(random, depth - 1);
    case 1: return "(?:" + random_pattern(random, depth - 1) + ")" + kCounts[pick(8)];
    default:
      return "(?:" + random_pattern(random, depth - 1) +
             ")(?:" + random_pattern(random, depth - 1) + ")";
  }
}

TEST(RegexRe2, random_patterns_mean_the_same) {
  const std::vector<std::string> texts = texts_of({"a", "b", "K", "\n", "\xc3\xa9"}, 4);
  std::mt19937 random(14);
  for (int n = 0; n < 400; ++n) {
    const std::string pattern = random_pattern(random, 4);
    EXPECT_EQ(difference(pattern, texts), "") << pattern;
  }
}

#else

TEST(RegexRe2, patterns_mean_what_they_mean_to_re2) {
  GTEST_SKIP() << "SKIPPED: libre2-dev is not installed";
}

#endif

}  // namespace
}  // namespace skein::constrain
