// The words of a vocabulary as a walk meets them: a trie in depth-first order, one array, in which
// the words that begin alike stand together and can be passed over together. Made once for a
// tokenizer and shared by everything that is constrained over it.
//
// `text::Trie` finds the longest match and cannot be walked this way. Ids without bytes, ids on
// which generation ends and padding are in no trie.
#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "text/tokenizer.h"

namespace skein::constrain {

// One bit for each id of a vocabulary.
class IdSet {
 public:
  explicit IdSet(int32_t size = 0) : bits_((static_cast<size_t>(size) + 63) / 64) {}

  bool operator[](int32_t id) const {
    const auto n = static_cast<size_t>(id);
    return id >= 0 && n / 64 < bits_.size() && (bits_[n / 64] >> n % 64 & 1) != 0;
  }
  void set(int32_t id) { bits_[static_cast<size_t>(id) / 64] |= uint64_t{1} << id % 64; }
  void add(const IdSet& other) {
    for (size_t n = 0; n < bits_.size(); ++n) bits_[n] |= other.bits_[n];
  }
  int32_t count() const;
  int32_t first() const;  // -1: it is empty

  std::span<const uint64_t> bits() const { return bits_; }  // id n: bit n % 64 of element n / 64
  friend bool operator==(const IdSet&, const IdSet&) = default;

 private:
  std::vector<uint64_t> bits_;
};

class Slice;

struct WordTrie {
  struct Node {
    uint32_t end = 0;  // the node after the last one below this one
    int32_t word = -1;
    uint16_t depth = 0;  // bytes up to here
    uint8_t byte = 0;
  };
  struct Word {
    std::string_view bytes;
    int32_t id = 0;
  };

  WordTrie() = default;
  // Sorted by bytes, each text once.
  explicit WordTrie(std::span<const Word> words);

  std::vector<Node> nodes;
};

class Words {
 public:
  explicit Words(text::TokenizerPtr tokenizer);
  ~Words();

  const text::Tokenizer& tokenizer() const { return *tokenizer_; }
  int32_t size() const { return tokenizer_->size(); }
  // Empty for ids that are no words.
  std::string_view bytes_of(int32_t id) const {
    return is_word(id) ? tokenizer_->bytes_of(id) : std::string_view();
  }
  bool is_word(int32_t id) const { return words_[id]; }

  const WordTrie& trie() const { return trie_; }
  std::span<const WordTrie::Word> sorted() const { return sorted_; }
  // Ids whose bytes are those of another id, which stands in the trie for them.
  struct Twin {
    int32_t id;
    int32_t twin;
  };
  std::span<const Twin> twins() const { return twins_; }
  size_t longest() const { return longest_; }
  // Bytes that are words by themselves. A text of these alone can always go on.
  const std::bitset<256>& single_bytes() const { return single_bytes_; }
  // Whether encode() takes the longest word at each place, from left to right.
  bool greedy() const { return greedy_; }
  // The longest word at the beginning of `text`, -1: none. `open`: a longer one could begin with
  // it.
  struct Match {
    int32_t word = -1;
    size_t length = 0;
    bool open = false;
  };
  Match longest_match(std::string_view text) const;
  std::span<const Slice> slices() const;  // slices.h
  // Equal for vocabularies with the same words.
  const Digest& identity() const { return identity_; }
  size_t bytes_held() const;

 private:
  text::TokenizerPtr tokenizer_;
  std::vector<WordTrie::Word> sorted_;
  IdSet words_;
  WordTrie trie_;
  std::vector<Twin> twins_;
  size_t longest_ = 0;
  std::bitset<256> single_bytes_;
  bool greedy_ = false;
  Digest identity_{};
  std::vector<Slice> slices_;
};

}  // namespace skein::constrain
