#include "constrain/schema_strings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/utf8.h"

namespace skein::constrain {
namespace {

// One hexadecimal digit of first to last, in either case.
Term hex_digit(Terms& terms, uint32_t first, uint32_t last) {
  ByteSet set;
  for (uint32_t d = first; d <= last; ++d) {
    if (d < 10) {
      set.set('0' + d);
    } else {
      set.set('a' + d - 10);
      set.set('A' + d - 10);
    }
  }
  return terms.bytes(set);
}

// The numbers first to last in `digits` hexadecimal digits.
Term hex_range(Terms& terms, uint32_t first, uint32_t last, int digits) {
  if (first > last) return Term::none;
  if (digits == 0) return Term::empty;
  const uint32_t unit = 1u << 4 * (digits - 1);
  const uint32_t low = first / unit;
  const uint32_t high = last / unit;
  if (low == high)
    return terms.sequence(hex_digit(terms, low, low),
                          hex_range(terms, first % unit, last % unit, digits - 1));
  std::vector<Term> choices;
  choices.push_back(terms.sequence(hex_digit(terms, low, low),
                                   hex_range(terms, first % unit, unit - 1, digits - 1)));
  if (low + 1 < high)
    choices.push_back(terms.sequence(hex_digit(terms, low + 1, high - 1),
                                     hex_range(terms, 0, unit - 1, digits - 1)));
  choices.push_back(
      terms.sequence(hex_digit(terms, high, high), hex_range(terms, 0, last % unit, digits - 1)));
  return terms.either(choices);
}

Term unit(Terms& terms, uint32_t first, uint32_t last) {
  return terms.sequence(terms.literal("\\u"), hex_range(terms, first, last, 4));
}

// Characters above U+FFFF as pairs.
Term pairs(Terms& terms, uint32_t first, uint32_t last) {
  const uint32_t from = first - 0x10000;
  const uint32_t to = last - 0x10000;
  const uint32_t low = from >> 10;
  const uint32_t high = to >> 10;
  const auto pair = [&](uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    return terms.sequence(unit(terms, 0xd800 + a, 0xd800 + b), unit(terms, 0xdc00 + c, 0xdc00 + d));
  };
  if (low == high) return pair(low, low, from & 0x3ff, to & 0x3ff);
  std::vector<Term> choices{pair(low, low, from & 0x3ff, 0x3ff), pair(high, high, 0, to & 0x3ff)};
  if (low + 1 < high) choices.push_back(pair(low + 1, high - 1, 0, 0x3ff));
  return terms.either(choices);
}

uint32_t code_point(std::string_view character) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(character[i]); };
  switch (character.size()) {
    case 1: return byte(0);
    case 2: return (byte(0) & 0x1fu) << 6 | (byte(1) & 0x3fu);
    case 3: return (byte(0) & 0xfu) << 12 | (byte(1) & 0x3fu) << 6 | (byte(2) & 0x3fu);
    default:
      return (byte(0) & 7u) << 18 | (byte(1) & 0x3fu) << 12 | (byte(2) & 0x3fu) << 6 |
             (byte(3) & 0x3fu);
  }
}

}  // namespace

Term escaped_json_spelling(Terms& terms, std::span<const Terms::Range> ranges) {
  std::vector<Term> choices{json_spelling(terms, ranges)};
  for (const Terms::Range& range : ranges) {
    const auto put = [&](uint32_t first, uint32_t last) {
      const uint32_t from = std::max(range.first, first);
      const uint32_t to = std::min(range.last, last);
      if (from <= to) choices.push_back(unit(terms, from, to));
    };
    put(0, 0xd7ff);
    put(0xe000, 0xffff);
    if (range.last > 0xffff)
      choices.push_back(pairs(terms, std::max(range.first, 0x10000u), range.last));
  }
  return terms.either(choices);
}

StringTerms::StringTerms(Terms& terms, bool unicode_escapes)
    : terms_(terms),
      unicode_escapes_(unicode_escapes),
      spelling_(unicode_escapes ? escaped_json_spelling : json_spelling) {
  const Terms::Range every{0, kLastCharacter};
  character_ = spelling_(terms, {&every, 1});
  all_ = terms.repeat(character_, 0, kUnbounded);
}

Term StringTerms::length(uint64_t min, uint64_t max) {
  const auto clamped = [](uint64_t n) {
    return n < (uint64_t{1} << 31) ? static_cast<uint32_t>(n) : kUnbounded;
  };
  if (clamped(min) == kUnbounded) return Term::none;
  return terms_.repeat(character_, clamped(min), clamped(max));
}

Term StringTerms::exactly(std::string_view text) {
  if (!unicode_escapes_) return terms_.literal(spelled(text));
  std::vector<Term> characters;
  while (!text.empty()) {
    const size_t length = std::max<size_t>(utf8_length(text), 1);
    const uint32_t c = code_point(text.substr(0, length));
    const Terms::Range range{c, c};
    characters.push_back(spelling_(terms_, {&range, 1}));
    text.remove_prefix(length);
  }
  return terms_.sequence(characters);
}

Term StringTerms::any_of(const std::vector<std::string_view>& texts) {
  if (unicode_escapes_) {
    std::vector<Term> choices;
    for (const std::string_view text : texts) choices.push_back(exactly(text));
    return terms_.either(choices);
  }
  std::vector<std::string> all;
  for (const std::string_view text : texts) all.push_back(spelled(text));
  return terms_.any_of(std::move(all));
}

std::string StringTerms::spelled(std::string_view text) {
  static constexpr std::string_view kMeant = "\"\\\b\f\n\r\t";
  static constexpr std::string_view kNames = "\"\\bfnrt";
  std::string out;
  for (const char c : text) {
    if (const size_t known = kMeant.find(c); known != std::string_view::npos) {
      out += '\\';
      out += kNames[known];
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace skein::constrain
