#include "text/trie.h"

#include <algorithm>
#include <cstring>

namespace skein::text {
namespace {

// Length of what all of a sorted range has in common: the first and the last element decide.
size_t common_length(std::string_view a, std::string_view b) {
  const size_t most = std::min(a.size(), b.size());
  size_t n = 0;
  while (n < most && a[n] == b[n]) ++n;
  return n;
}

}  // namespace

Trie::Trie(std::span<const Entry> entries) {
  root_.fill(kNone);

  // One element per node, in the order of nodes_: its entries, and how many of their bytes the
  // nodes above and this node's label stand for.
  struct Range {
    size_t begin, end, depth;
  };
  std::vector<Range> ranges;
  // Appends a node for each different byte at `depth` of entries[begin, end).
  const auto add_children = [&](size_t begin, size_t end, size_t depth) {
    while (begin < end) {
      const char label = entries[begin].bytes[depth];
      size_t next = begin + 1;
      while (next < end && entries[next].bytes[depth] == label) ++next;
      ranges.push_back({begin, next, depth + 1});
      labels_.push_back(label);
      begin = next;
    }
  };

  add_children(0, entries.size(), 0);
  for (uint32_t n = 0; n < labels_.size(); ++n) root_[static_cast<unsigned char>(labels_[n])] = n;
  for (size_t n = 0; n < ranges.size(); ++n) {
    auto [begin, end, depth] = ranges[n];
    const std::string_view first = entries[begin].bytes;
    const size_t shared = common_length(first, entries[end - 1].bytes);
    Node node;
    node.edge = static_cast<uint32_t>(edges_.size());
    node.edge_length = static_cast<uint16_t>(shared - depth);
    edges_.append(first.substr(depth, shared - depth));
    if (first.size() == shared) node.token = entries[begin++].token;
    node.first_child = static_cast<uint32_t>(ranges.size());
    add_children(begin, end, shared);
    node.child_count = static_cast<uint16_t>(ranges.size() - node.first_child);
    nodes_.push_back(node);
  }
}

uint32_t Trie::child(const Node& node, char label) const {
  const char* labels = labels_.data() + node.first_child;
  const void* found = std::memchr(labels, label, node.child_count);
  if (!found) return kNone;
  return node.first_child + static_cast<uint32_t>(static_cast<const char*>(found) - labels);
}

}  // namespace skein::text
