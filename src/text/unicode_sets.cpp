#include "text/unicode_sets.h"

#include <algorithm>
#include <map>
#include <string>

#include "text/unicode.h"

namespace skein::text {
namespace {

constexpr char32_t kLastCharacter = 0x10ffff;
constexpr char32_t kEndOfCases = 0x20000;  // behind them are no letters with case
constexpr char32_t kDottedCapitalI = 0x130;
constexpr char32_t kDotlessSmallI = 0x131;

using Categories = std::map<std::string, std::vector<CodeRange>, std::less<>>;

Categories read_categories() {
  Categories out;
  const char* before = "";
  std::vector<CodeRange>* ranges = nullptr;
  for (char32_t c = 0; c <= kLastCharacter; ++c) {
    const char* name = general_category(c);
    if (std::string_view(name) != before) {
      before = name;
      ranges = &out[name];
      ranges->push_back({c, c});
    } else {
      ranges->back().last = c;
    }
  }
  return out;
}

// What all cases of a character have in common. Two characters have a case in Turkish only.
char32_t folded(char32_t c) {
  return c == kDottedCapitalI || c == kDotlessSmallI ? c : simple_lower(simple_upper(c));
}

std::vector<CasePair> read_case_pairs() {
  std::map<char32_t, std::vector<char32_t>> families;
  for (char32_t c = 0; c < kEndOfCases; ++c) {
    const char32_t head = folded(c);
    if (head == c) continue;
    std::vector<char32_t>& family = families[head];
    if (family.empty()) family.push_back(head);
    family.push_back(c);
  }
  std::vector<CasePair> out;
  for (const auto& [head, family] : families)
    for (char32_t a : family)
      for (char32_t b : family)
        if (a != b) out.push_back({a, b});
  std::sort(out.begin(), out.end(), [](const CasePair& a, const CasePair& b) {
    return a.character != b.character ? a.character < b.character : a.other < b.other;
  });
  return out;
}

}  // namespace

std::vector<CodeRange> characters_of_category(std::string_view name) {
  static const Categories kCategories = read_categories();
  std::vector<CodeRange> out;
  if (name.empty() || name.size() > 2) return out;
  for (const auto& [category, ranges] : kCategories)
    if (std::string_view(category).starts_with(name))
      out.insert(out.end(), ranges.begin(), ranges.end());
  std::sort(out.begin(), out.end(),
            [](const CodeRange& a, const CodeRange& b) { return a.first < b.first; });
  return out;
}

std::span<const CasePair> case_pairs(char32_t first, char32_t last) {
  static const std::vector<CasePair> kPairs = read_case_pairs();
  const auto begin = std::lower_bound(
      kPairs.begin(), kPairs.end(), first,
      [](const CasePair& pair, char32_t character) { return pair.character < character; });
  const auto end = std::upper_bound(
      begin, kPairs.end(), last,
      [](char32_t character, const CasePair& pair) { return character < pair.character; });
  return {begin, end};
}

}  // namespace skein::text
