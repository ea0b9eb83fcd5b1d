#include "constrain/char_set.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/unicode_sets.h"

namespace skein::constrain {
namespace {

constexpr uint32_t kFirstSurrogate = 0xd800;
constexpr uint32_t kLastSurrogate = 0xdfff;

// What a JSON string must not hold as it is. DEL may stand there.
bool is_escaped(uint32_t c) { return c < 0x20 || c == '"' || c == '\\'; }

std::string escape_of(uint32_t c) {
  switch (c) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    case '\b': return "\\b";
    case '\f': return "\\f";
    default: return fmt::format("\\u{:04x}", c);
  }
}

}  // namespace

void CharSet::add(uint32_t first, uint32_t last) {
  if (first > last) return;
  ranges_.push_back({first, last});
  tidy_ = false;
}

void CharSet::add(const CharSet& other) {
  ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  tidy_ = false;
}

void CharSet::add_other_cases() {
  tidy();
  const std::vector<Terms::Range> before = ranges_;
  for (const Terms::Range& range : before)
    for (const text::CasePair& pair : text::case_pairs(range.first, range.last)) add(pair.other);
}

void CharSet::negate() {
  tidy();
  std::vector<Terms::Range> gaps;
  uint32_t from = 0;
  for (const Terms::Range& range : ranges_) {
    if (range.first > from) gaps.push_back({from, range.first - 1});
    from = range.last + 1;
  }
  if (from <= kLastCharacter) gaps.push_back({from, kLastCharacter});
  ranges_ = std::move(gaps);
  tidy_ = false;
}

void CharSet::keep(const CharSet& other) {
  CharSet rest = other;
  rest.negate();
  negate();
  add(rest);
  negate();
}

std::span<const Terms::Range> CharSet::ranges() const {
  tidy();
  return ranges_;
}

bool CharSet::operator<(const CharSet& other) const {
  const auto mine = ranges();
  const auto theirs = other.ranges();
  return std::lexicographical_compare(mine.begin(), mine.end(), theirs.begin(), theirs.end(),
                                      [](const Terms::Range& a, const Terms::Range& b) {
                                        return a.first != b.first ? a.first < b.first
                                                                  : a.last < b.last;
                                      });
}

void CharSet::tidy() const {
  if (tidy_) return;
  tidy_ = true;
  const auto by_first = [](const Terms::Range& a, const Terms::Range& b) {
    return a.first < b.first;
  };
  if (!std::is_sorted(ranges_.begin(), ranges_.end(), by_first))
    std::sort(ranges_.begin(), ranges_.end(), by_first);
  std::vector<Terms::Range> out;
  out.reserve(ranges_.size() + 1);
  const auto put = [&](uint32_t first, uint32_t last) {
    if (first > last) return;
    if (!out.empty() && first <= out.back().last + 1)
      out.back().last = std::max(out.back().last, last);
    else
      out.push_back({first, last});
  };
  for (const Terms::Range& range : ranges_) {
    put(range.first, std::min(range.last, kFirstSurrogate - 1));
    put(std::max(range.first, kLastSurrogate + 1), std::min(range.last, kLastCharacter));
  }
  ranges_ = std::move(out);
}

Term plain_spelling(Terms& terms, std::span<const Terms::Range> ranges) {
  return terms.characters(ranges);
}

Term json_spelling(Terms& terms, std::span<const Terms::Range> ranges) {
  std::vector<Terms::Range> direct;
  std::vector<std::string> escapes;
  for (const Terms::Range& range : ranges) {
    // All that is escaped stands below this.
    constexpr uint32_t kEnd = '\\' + 1;
    uint32_t from = range.first;
    for (uint32_t c = range.first; c <= std::min(range.last, kEnd - 1); ++c) {
      if (!is_escaped(c)) continue;
      escapes.push_back(escape_of(c));
      if (c > from) direct.push_back({from, c - 1});
      from = c + 1;
    }
    if (from <= range.last) direct.push_back({from, range.last});
  }
  return terms.either(terms.characters(direct), terms.any_of(std::move(escapes)));
}

}  // namespace skein::constrain
