// Sets of characters that have a name: general categories and scripts; and which characters differ
// by case alone.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace skein::text {

// Both ends belong to it.
struct CodeRange {
  char32_t first = 0;
  char32_t last = 0;
};

// Of a general category ("Lu") or a group of them ("L"): ascending, with gaps between. Empty where
// there is none of this name.
std::vector<CodeRange> characters_of_category(std::string_view name);

// Of a script in use today ("Greek"; those that UAX #31 recommends, and Common and Inherited).
std::vector<CodeRange> characters_of_script(std::string_view name);

// `other` is `character` in another case: Unicode's simple folding makes both the same.
struct CasePair {
  char32_t character = 0;
  char32_t other = 0;
};
// Of each character from `first` to `last`, by character.
std::span<const CasePair> case_pairs(char32_t first, char32_t last);

}  // namespace skein::text
