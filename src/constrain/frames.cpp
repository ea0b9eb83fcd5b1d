#include "constrain/frames.h"

#include <algorithm>

namespace skein::constrain {

bool Frames::Content::add(std::span<const Way> more, bool also_ends) {
  const size_t before = ways.size();
  const bool ended = ends;
  ends = ends || also_ends;
  if (more.size() == 1) {
    const auto it = std::ranges::lower_bound(ways, more[0]);
    if (it == ways.end() || *it != more[0]) ways.insert(it, more[0]);
  } else if (!std::ranges::includes(ways, more)) {
    std::vector<Way> all;
    std::ranges::set_union(ways, more, std::back_inserter(all));
    ways = std::move(all);
  }
  return ways.size() > before || ends != ended;
}

void Frames::clear() {
  records_.clear();
  ways_.clear();
  numbers_.clear();
  blocks_.clear();
  block_bytes_ = 0;
  block_numbers_.clear();
  make({{}, true});
}

Frames::Node Frames::make(const Content& content) {
  uint64_t hash = content.ends;
  for (const Way& way : content.ways)
    hash = mixed(mixed(hash, static_cast<uint32_t>(way.tail)), way.below);
  const Node known = numbers_.find(hash, [&](Node node) {
    return ends(node) == content.ends && std::ranges::equal(ways(node), content.ways);
  });
  if (known != Slots::kNone) return known;
  uint16_t least = content.ends ? 0 : 0xffff;
  for (const Way& way : content.ways)
    least = std::min(least, static_cast<uint16_t>(depth(way.below) + 1));
  const auto made = static_cast<Node>(records_.size());
  records_.push_back({.at = static_cast<uint32_t>(ways_.size()),
                      .count = static_cast<uint32_t>(content.ways.size()),
                      .depth = least,
                      .ends = content.ends});
  ways_.insert(ways_.end(), content.ways.begin(), content.ways.end());
  numbers_.add(hash, made);
  return made;
}

std::vector<Frames::Node> Frames::make_block(std::span<const uint32_t> labels,
                                             std::span<const Content> members) {
  std::vector<uint32_t> content;
  uint64_t hash = 0;
  for (size_t n = 0; n < members.size(); ++n) {
    content.insert(content.end(),
                   {labels[n], members[n].ends, static_cast<uint32_t>(members[n].ways.size())});
    for (const Way& way : members[n].ways)
      content.insert(content.end(), {static_cast<uint32_t>(way.tail), way.below});
  }
  for (const uint32_t value : content) hash = mixed(hash, value);
  uint32_t block =
      block_numbers_.find(hash, [&](uint32_t n) { return blocks_[n].content == content; });
  if (block == Slots::kNone) {
    block = static_cast<uint32_t>(blocks_.size());
    const auto first = static_cast<Node>(records_.size());
    block_bytes_ += sizeof(Block) + content.size() * sizeof(uint32_t);
    blocks_.push_back({std::move(content), first});
    block_numbers_.add(hash, block);
    for (const Content& member : members) {
      records_.push_back({.at = static_cast<uint32_t>(ways_.size()),
                          .count = static_cast<uint32_t>(member.ways.size()),
                          .depth = static_cast<uint16_t>(member.ends ? 0 : 0xffff),
                          .ends = member.ends,
                          .in_cycle = true});
      for (const Way& way : member.ways)
        ways_.push_back({way.tail, way.below & kFresh ? first + (way.below & ~kFresh) : way.below});
    }
    find_depths(first);
  }
  std::vector<Node> made;
  for (size_t n = 0; n < members.size(); ++n)
    made.push_back(blocks_[block].first + static_cast<Node>(n));
  return made;
}

// Of a block that was just made. Depths of members depend on each other's: the least ones first,
// which cannot become less.
void Frames::find_depths(Node first) {
  std::vector<std::vector<Node>> users(records_.size() - first);
  std::vector<std::vector<Node>> by_depth;
  const auto lower = [&](Node node, uint16_t depth) {
    if (depth > records_[node].depth) return;
    records_[node].depth = depth;
    if (by_depth.size() <= depth) by_depth.resize(depth + size_t{1});
    by_depth[depth].push_back(node);
  };
  for (Node node = first; node < records_.size(); ++node) {
    if (ends(node)) lower(node, 0);
    for (const Way& way : ways(node))
      if (way.below >= first)
        users[way.below - first].push_back(node);
      else if (depth(way.below) + 1 < depth(node))
        lower(node, static_cast<uint16_t>(depth(way.below) + 1));
  }
  for (size_t least = 0; least < by_depth.size(); ++least)
    for (size_t n = 0; n < by_depth[least].size(); ++n) {
      const Node node = by_depth[least][n];
      if (depth(node) != least) continue;
      for (const Node user : users[node - first])
        if (least + 1 < depth(user)) lower(user, static_cast<uint16_t>(least + 1));
    }
}

size_t Frames::bytes_held() const {
  return records_.capacity() * sizeof(Record) + ways_.capacity() * sizeof(Way) + block_bytes_ +
         numbers_.bytes_held() + block_numbers_.bytes_held();
}

}  // namespace skein::constrain
