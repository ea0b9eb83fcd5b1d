// Where reading goes on when a rule is done: the stacks of a parser, shared where they are equal.
//
// A node is a set of ways on, each a term that follows and the node below it, and whether all may
// end here. Rules that are called from several places at once have one node with all those ways
// (Tomita 1985; Scott and Johnstone 2010). Nodes are made from those below them and found by what
// they are, so equal stacks have equal numbers, and neither copying nor comparing one looks into
// it. Left recursion makes nodes that stand below themselves: those come as a block, found by what
// the whole block is.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "constrain/slots.h"
#include "constrain/term.h"

namespace skein::constrain {

class Frames {
 public:
  using Node = uint32_t;
  static constexpr Node kBottom = 0;          // may end here, and nothing follows
  static constexpr Node kFresh = 0x80000000;  // number of an unmade node of a block, with this bit

  struct Way {
    Term tail;
    Node below;
    friend auto operator<=>(const Way&, const Way&) = default;
  };
  struct Content {
    std::vector<Way> ways;  // sorted, each once
    bool ends = false;

    // Whether that was news. `more` is sorted.
    bool add(std::span<const Way> more, bool also_ends);
  };

  Frames() { clear(); }

  std::span<const Way> ways(Node node) const {
    const Record& r = records_[node];
    return std::span(ways_).subspan(r.at, r.count);
  }
  bool ends(Node node) const { return records_[node].ends; }
  // The least number of frames below.
  uint16_t depth(Node node) const { return records_[node].depth; }
  bool in_cycle(Node node) const { return records_[node].in_cycle; }

  Node make(const Content& content);
  // All of a block; ways name its members by kFresh | place. `labels` tell members apart that are
  // made alike. Members are rewritten to the numbers they got.
  std::vector<Node> make_block(std::span<const uint32_t> labels, std::span<const Content> members);

  void clear();
  size_t size() const { return records_.size(); }
  size_t bytes_held() const;

 private:
  void find_depths(Node first);

  struct Record {
    uint32_t at = 0;
    uint32_t count = 0;
    uint16_t depth = 0;
    bool ends = false;
    bool in_cycle = false;
  };
  struct Block {
    std::vector<uint32_t> content;
    Node first;
  };

  std::vector<Record> records_;
  std::vector<Way> ways_;
  Slots numbers_;
  std::vector<Block> blocks_;
  size_t block_bytes_ = 0;
  Slots block_numbers_;
};

}  // namespace skein::constrain
