// Longest match of a token at the beginning of a text.
//
// A radix tree: only places where tokens branch or end are nodes, so its size is bounded by the
// number of tokens and not by their lengths. The children of a node stand side by side, and so do
// the first bytes of their edges, which one memchr searches.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skein::text {

class Trie {
 public:
  struct Entry {
    std::string_view bytes;  // not empty, at most limits::kTokenBytes, different from all others
    int32_t token = 0;       // not negative
  };
  struct Match {
    int32_t token = -1;  // -1: no token begins here
    size_t length = 0;
  };

  Trie() = default;
  // `sorted` by bytes. Keeps no view of them.
  explicit Trie(std::span<const Entry> sorted);

  Match longest(std::string_view text) const {
    Match best;
    if (text.empty() || nodes_.empty()) return best;
    uint32_t at = root_[static_cast<unsigned char>(text[0])];
    size_t depth = 1;
    while (at != kNone) {
      const Node& node = nodes_[at];
      if (node.edge_length > text.size() - depth ||
          text.compare(depth, node.edge_length, edges_.data() + node.edge, node.edge_length) != 0)
        break;
      depth += node.edge_length;
      if (node.token >= 0) best = {node.token, depth};
      if (depth == text.size()) break;
      at = child(node, text[depth++]);
    }
    return best;
  }

 private:
  struct Node {
    uint32_t edge = 0;         // in edges_: the bytes after the first one of the edge to this node
    uint32_t first_child = 0;  // in nodes_
    int32_t token = -1;
    uint16_t edge_length = 0;
    uint16_t child_count = 0;
  };
  static constexpr uint32_t kNone = UINT32_MAX;

  uint32_t child(const Node& node, char label) const;

  std::array<uint32_t, 256> root_{};
  std::vector<Node> nodes_;   // breadth first
  std::vector<char> labels_;  // of each node: the first byte of the edge to it
  std::string edges_;
};

}  // namespace skein::text
