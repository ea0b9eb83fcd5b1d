#include "constrain/slices.h"

#include <algorithm>

#include "constrain/term.h"

namespace skein::constrain {
namespace {

constexpr int32_t kFewWords = 256;  // a walk over so few is as quick

// Derivatives of a character's term, numbered as they are met. Characters are no beginnings of
// others, so that the empty rest is the start of the next one.
Slice::Steps steps_of(Terms& terms, Term character) {
  std::vector<Term> states{character};
  Slice::Steps steps;
  for (size_t n = 0; n < states.size(); ++n) {
    steps.emplace_back().fill(Slice::kNo);
    for (size_t byte = 0; byte < 256; ++byte) {
      const Term read = terms.next(states[n], static_cast<uint8_t>(byte));
      if (read == Term::none) continue;
      const Term to = read == Term::empty ? character : read;
      const auto it = std::ranges::find(states, to);
      steps[n][byte] = static_cast<uint8_t>(it - states.begin());
      if (it == states.end()) states.push_back(to);
    }
  }
  return steps;
}

}  // namespace

Slice::Slice(const Words& words, Steps steps) : steps_(std::move(steps)) {
  std::vector<WordTrie::Word> longer, others;
  up_to_.fill(IdSet(words.size()));
  for (const WordTrie::Word& word : words.sorted()) {
    const size_t count = characters(word.bytes);
    if (count == 0) others.push_back(word);
    if (count > kCounted) longer.push_back(word);
    if (count > 0) up_to_[std::min(count, kCounted + 1)].set(word.id);
  }
  for (size_t count = 1; count < up_to_.size(); ++count) up_to_[count].add(up_to_[count - 1]);
  longer_ = WordTrie(longer);
  others_ = WordTrie(others);
}

size_t Slice::characters(std::string_view bytes) const {
  uint8_t state = kStart;
  size_t count = 0;
  for (const char byte : bytes) {
    state = steps_[state][static_cast<uint8_t>(byte)];
    if (state == kNo) return 0;
    count += state == kStart;
  }
  return state == kStart ? count : 0;
}

size_t Slice::bytes_held() const {
  return up_to_.size() * up_to_[0].bits().size_bytes() + steps_.size() * 256 +
         (longer_.nodes.capacity() + others_.nodes.capacity()) * sizeof(WordTrie::Node);
}

std::vector<Slice> make_slices(const Words& words) {
  Terms terms(10'000);
  using Ranges = std::vector<Terms::Range>;
  const std::array<Ranges, 4> kinds = {
      Ranges{{0, 0x10ffff}}, Ranges{{0, '\n' - 1}, {'\n' + 1, 0x10ffff}},
      Ranges{{0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, 0x10ffff}},
      Ranges{{'0', '9'}, {'A', 'Z'}, {'a', 'z'}, {'_', '_'}, {' ', ' '}, {'-', '-'}}};
  std::vector<Slice> out;
  for (const Ranges& ranges : kinds) {
    Slice slice(words, steps_of(terms, terms.characters(ranges)));
    if (slice.up_to(Slice::kCounted + 1).count() > kFewWords) out.push_back(std::move(slice));
  }
  return out;
}

}  // namespace skein::constrain
