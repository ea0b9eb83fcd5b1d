// Words that consist of characters of one kind, by how many. Where every text of such characters
// may follow, all those words may, and only the others have to be looked at: of World's 65,529
// words 1,038 are no whole characters as they stand in a JSON string. Made once for a vocabulary.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "constrain/words.h"

namespace skein::constrain {

class Slice {
 public:
  static constexpr size_t kCounted = 16;  // longer words are not told apart by length
  static constexpr uint8_t kNo = 0xff, kStart = 0;

  // `characters`: the steps of an automaton from kStart over the bytes of one character and back.
  using Steps = std::vector<std::array<uint8_t, 256>>;
  Slice(const Words& words, Steps steps);

  const Steps& steps() const { return steps_; }
  // Words of 1 to `count` such characters; of any number for kCounted + 1.
  const IdSet& up_to(size_t count) const { return up_to_[count]; }
  const WordTrie& longer() const { return longer_; }  // of more than kCounted
  const WordTrie& others() const { return others_; }  // words that are not of such characters alone
  size_t bytes_held() const;

 private:
  size_t characters(std::string_view bytes) const;  // 0: it is none of these words

  Steps steps_;
  std::array<IdSet, kCounted + 2> up_to_;
  WordTrie longer_, others_;
};

// Those that are tried, in this order: any character, any but a line's end, what may stand in a
// JSON string as it is, letters and digits with `_`, `-` and blank. Those with too few words are
// left out.
std::vector<Slice> make_slices(const Words& words);

}  // namespace skein::constrain
