// Terms of texts and of characters.
#include <algorithm>

#include "constrain/term.h"

namespace skein::constrain {
namespace {

constexpr uint32_t kLastCodePoint = 0x10ffff;
constexpr uint32_t kFirstSurrogate = 0xd800, kLastSurrogate = 0xdfff;

// In order, apart from each other, without surrogates.
std::vector<Terms::Range> normalized(std::span<const Terms::Range> ranges) {
  std::vector<Terms::Range> cut;
  for (const Terms::Range& range : ranges) {
    const uint32_t last = std::min(range.last, kLastCodePoint);
    const auto add = [&](uint32_t first, uint32_t end) {
      if (first <= end) cut.push_back({first, end});
    };
    add(range.first, std::min(last, kFirstSurrogate - 1));
    add(std::max(range.first, kLastSurrogate + 1), last);
  }
  std::sort(cut.begin(), cut.end(), [](auto& a, auto& b) { return a.first < b.first; });
  std::vector<Terms::Range> out;
  for (const Terms::Range& range : cut) {
    if (!out.empty() && range.first <= out.back().last + 1)
      out.back().last = std::max(out.back().last, range.last);
    else
      out.push_back(range);
  }
  return out;
}

}  // namespace

Term Terms::literal(std::string_view text) {
  Term out = Term::empty;
  for (size_t n = text.size(); n > 0; --n) {
    const auto byte = static_cast<uint8_t>(text[n - 1]);
    out = sequence(byte_range(byte, byte), out);
  }
  return out;
}

// Characters of one length: their numbers in digits of 6 bits, the first one with `lead` before it.
// Calls itself once for each byte of a character.
Term Terms::digits(std::span<const Range> ranges, int count, uint32_t lead) {
  const int shift = 6 * (count - 1);
  const uint32_t rest_mask = (1U << shift) - 1;
  std::vector<std::pair<Term, ByteSet>> by_tail;  // few
  const auto add = [&](uint32_t first, uint32_t last, Term tail) {
    auto it =
        std::find_if(by_tail.begin(), by_tail.end(), [&](auto& e) { return e.first == tail; });
    if (it == by_tail.end()) it = by_tail.insert(it, {tail, {}});
    for (uint32_t digit = first; digit <= last; ++digit) it->second.set(lead + digit);
  };
  const Range all{0, rest_mask};
  std::vector<Range> partial;  // of the digit that is open
  uint32_t open = 0;
  const auto close = [&] {
    if (!partial.empty()) add(open, open, digits(partial, count - 1, 0x80));
    partial.clear();
  };
  for (const Range& range : ranges) {
    uint32_t first = range.first >> shift, last = range.last >> shift;
    const auto part = [&](uint32_t digit, uint32_t from, uint32_t to) {
      if (digit != open) close();
      open = digit;
      partial.push_back({from, to});
    };
    if (shift == 0) {
      add(first, last, Term::empty);
      continue;
    }
    const uint32_t from = range.first & rest_mask, to = range.last & rest_mask;
    if (first == last) {
      part(first, from, to);
      continue;
    }
    if (from != 0) part(first++, from, rest_mask);
    const bool cut = to != rest_mask;
    const uint32_t whole_end = cut ? last : last + 1;
    if (first < whole_end) {
      close();
      add(first, whole_end - 1, digits(std::span(&all, 1), count - 1, 0x80));
    }
    if (cut) part(last, 0, to);
  }
  close();
  std::vector<Term> choices;
  for (const auto& [tail, set] : by_tail) choices.push_back(sequence(bytes(set), tail));
  return either(choices);
}

Term Terms::characters(std::span<const Range> ranges) {
  struct Length {
    uint32_t first, last, lead;
  };
  constexpr std::array<Length, 4> kLengths = {
      {{0, 0x7f, 0}, {0x80, 0x7ff, 0xc0}, {0x800, 0xffff, 0xe0}, {0x10000, kLastCodePoint, 0xf0}}};
  const std::vector<Range> all = normalized(ranges);
  std::vector<Term> choices;
  for (size_t n = 0; n < kLengths.size(); ++n) {
    std::vector<Range> inside;
    for (const Range& range : all) {
      const Range cut{std::max(range.first, kLengths[n].first),
                      std::min(range.last, kLengths[n].last)};
      if (cut.first <= cut.last) inside.push_back(cut);
    }
    if (n == 0) {
      ByteSet set;
      for (const Range& range : inside)
        for (uint32_t c = range.first; c <= range.last; ++c) set.set(c);
      choices.push_back(bytes(set));
    } else {
      choices.push_back(digits(inside, static_cast<int>(n) + 1, kLengths[n].lead));
    }
  }
  return either(choices);
}

Term Terms::any_character() {
  constexpr Range kAll{0, kLastCodePoint};
  return characters(std::span(&kAll, 1));
}

Term Terms::any_of(std::vector<std::string> texts) {
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  // The nodes from the root to the end of the last text; the others are terms already.
  std::vector<std::vector<Term>> open(1);
  const auto close = [&](std::string_view path) {
    const Term made = either(open.back());
    open.pop_back();
    const auto byte = static_cast<uint8_t>(path[open.size() - 1]);
    open.back().push_back(sequence(byte_range(byte, byte), made));
  };
  std::string_view before;
  for (const std::string& text : texts) {
    size_t common = 0;
    while (common < std::min(before.size(), text.size()) && before[common] == text[common])
      ++common;
    while (open.size() > common + 1) close(before);
    open.resize(text.size() + 1);
    open.back().push_back(Term::empty);
    before = text;
  }
  while (open.size() > 1) close(before);
  return either(open.back());
}

}  // namespace skein::constrain
