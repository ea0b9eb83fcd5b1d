#include "constrain/words.h"

#include <algorithm>
#include <bit>
#include <string>

#include "constrain/slices.h"

namespace skein::constrain {

int32_t IdSet::count() const {
  int32_t count = 0;
  for (const uint64_t bits : bits_) count += std::popcount(bits);
  return count;
}

int32_t IdSet::first() const {
  for (size_t n = 0; n < bits_.size(); ++n)
    if (bits_[n] != 0) return static_cast<int32_t>(n * 64) + std::countr_zero(bits_[n]);
  return -1;
}

WordTrie::WordTrie(std::span<const Word> words) {
  std::vector<uint32_t> path;  // the nodes from the top to the last word's end
  const auto close = [&](size_t depth) {
    for (; path.size() > depth; path.pop_back())
      nodes[path.back()].end = static_cast<uint32_t>(nodes.size());
  };
  std::string_view before;
  for (const Word& word : words) {
    const size_t common =
        static_cast<size_t>(std::ranges::mismatch(before, word.bytes).in1 - before.begin());
    close(common);
    for (size_t depth = common; depth < word.bytes.size(); ++depth) {
      path.push_back(static_cast<uint32_t>(nodes.size()));
      nodes.push_back({.depth = static_cast<uint16_t>(depth + 1),
                       .byte = static_cast<uint8_t>(word.bytes[depth])});
    }
    nodes[path.back()].word = word.id;
    before = word.bytes;
  }
  close(0);
  nodes.shrink_to_fit();
}

Words::Words(text::TokenizerPtr tokenizer)
    : tokenizer_(std::move(tokenizer)), words_(tokenizer_->size()) {
  Sha256 hash;
  std::vector<WordTrie::Word> all;
  for (int32_t id = 0; id < size(); ++id) {
    const std::string_view bytes = tokenizer_->bytes_of(id);
    if (bytes.empty() || tokenizer_->is_end(id)) continue;
    words_.set(id);
    all.push_back({bytes, id});
    longest_ = std::max(longest_, bytes.size());
    if (bytes.size() == 1) single_bytes_.set(static_cast<uint8_t>(bytes[0]));
    hash.update(std::to_string(id) + " " + std::to_string(bytes.size()) + " ");
    hash.update(bytes);
  }
  hash.update(std::to_string(size()) + tokenizer_->name());
  identity_ = hash.finish();
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.bytes != b.bytes ? a.bytes < b.bytes : a.id < b.id;
  });
  for (const WordTrie::Word& word : all) {
    if (!sorted_.empty() && sorted_.back().bytes == word.bytes)
      twins_.push_back({word.id, sorted_.back().id});
    else
      sorted_.push_back(word);
  }
  trie_ = WordTrie(sorted_);
  greedy_ = tokenizer_->name() == "World" || tokenizer_->name() == "bytes";
  slices_ = make_slices(*this);
}

Words::~Words() = default;

std::span<const Slice> Words::slices() const { return slices_; }

Words::Match Words::longest_match(std::string_view text) const {
  Match best;
  const std::vector<WordTrie::Node>& nodes = trie_.nodes;
  uint32_t at = 0, end = static_cast<uint32_t>(nodes.size());
  for (size_t n = 0; n < text.size(); ++n) {
    const auto byte = static_cast<uint8_t>(text[n]);
    while (at < end && nodes[at].byte < byte) at = nodes[at].end;
    if (at == end || nodes[at].byte != byte) return best;
    if (nodes[at].word >= 0) best = {nodes[at].word, n + 1, false};
    end = nodes[at].end;
    ++at;
  }
  best.open = at < end;
  return best;
}

size_t Words::bytes_held() const {
  size_t slices = 0;
  for (const Slice& slice : slices_) slices += slice.bytes_held();
  return slices + trie_.nodes.capacity() * sizeof(WordTrie::Node) +
         sorted_.capacity() * sizeof(WordTrie::Word) + twins_.capacity() * sizeof(Twin) +
         words_.bits().size_bytes();
}

}  // namespace skein::constrain
