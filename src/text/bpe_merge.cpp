#include "text/bpe_merge.h"

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <queue>

namespace skein::text {
namespace {

// Up to here scanning all pairs after each merge beats a heap.
constexpr size_t kShort = 32;

}  // namespace

Result<MergeTable> MergeTable::create(std::span<const Merge> merges, int32_t size) {
  std::vector<uint32_t> order(merges.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return std::pair(merges[a].left, merges[a].right) < std::pair(merges[b].left, merges[b].right);
  });
  MergeTable table;
  table.begin_.assign(static_cast<size_t>(size) + 1, 0);
  table.pairs_.reserve(merges.size());
  for (size_t n = 0; n < order.size(); ++n) {
    const Merge& merge = merges[order[n]];
    if (n > 0 && merges[order[n - 1]].left == merge.left &&
        merges[order[n - 1]].right == merge.right)
      return fail(Code::corrupt, "merges {} and {} are of the same pair",
                  std::min(order[n - 1], order[n]), std::max(order[n - 1], order[n]));
    table.pairs_.push_back({merge.right, merge.result, order[n]});
    ++table.begin_[static_cast<size_t>(merge.left) + 1];
  }
  std::partial_sum(table.begin_.begin(), table.begin_.end(), table.begin_.begin());
  return table;
}

const MergeTable::Pair* MergeTable::find(int32_t left, int32_t right) const {
  const Pair* begin = pairs_.data() + begin_[static_cast<size_t>(left)];
  const Pair* end = pairs_.data() + begin_[static_cast<size_t>(left) + 1];
  const Pair* found = std::lower_bound(
      begin, end, right, [](const Pair& pair, int32_t wanted) { return pair.right < wanted; });
  return found != end && found->right == right ? found : nullptr;
}

void MergeTable::apply(std::vector<int32_t>& ids) const {
  if (ids.size() <= kShort) {
    apply_short(ids);
  } else {
    apply_long(ids);
  }
}

void MergeTable::apply_short(std::vector<int32_t>& ids) const {
  std::array<const Pair*, kShort> found{};  // [n]: of ids n and n + 1
  for (size_t n = 0; n + 1 < ids.size(); ++n) found[n] = find(ids[n], ids[n + 1]);
  size_t count = ids.size();
  for (;;) {
    size_t best = count;
    for (size_t n = 0; n + 1 < count; ++n)
      if (found[n] && (best == count || found[n]->rank < found[best]->rank)) best = n;
    if (best == count) break;
    ids[best] = found[best]->result;
    for (size_t n = best + 1; n + 1 < count; ++n) {
      ids[n] = ids[n + 1];
      found[n] = found[n + 1];
    }
    --count;
    found[best] = best + 1 < count ? find(ids[best], ids[best + 1]) : nullptr;
    if (best > 0) found[best - 1] = find(ids[best - 1], ids[best]);
  }
  ids.resize(count);
}

void MergeTable::apply_long(std::vector<int32_t>& ids) const {
  constexpr uint32_t kEnd = UINT32_MAX;
  const auto size = static_cast<uint32_t>(ids.size());
  // A list over the places of `ids`; a merged-away place has the id -1.
  std::vector<uint32_t> next(size), previous(size);
  for (uint32_t n = 0; n < size; ++n) {
    next[n] = n + 1 < size ? n + 1 : kEnd;
    previous[n] = n > 0 ? n - 1 : kEnd;
  }
  // Rank above, place of the left id below. Entries whose pair has changed meanwhile are skipped.
  std::vector<uint64_t> initial;
  const auto key = [](const Pair& pair, uint32_t place) {
    return uint64_t{pair.rank} << 32 | place;
  };
  for (uint32_t n = 0; n + 1 < size; ++n)
    if (const Pair* pair = find(ids[n], ids[n + 1])) initial.push_back(key(*pair, n));
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> queue(std::greater<>(),
                                                                             std::move(initial));
  while (!queue.empty()) {
    const uint64_t top = queue.top();
    queue.pop();
    const auto place = static_cast<uint32_t>(top);
    if (ids[place] < 0 || next[place] == kEnd) continue;
    const uint32_t right = next[place];
    const Pair* pair = find(ids[place], ids[right]);
    if (!pair || pair->rank != top >> 32) continue;
    ids[place] = pair->result;
    ids[right] = -1;
    next[place] = next[right];
    if (next[place] != kEnd) {
      previous[next[place]] = place;
      if (const Pair* pushed = find(ids[place], ids[next[place]])) queue.push(key(*pushed, place));
    }
    if (previous[place] != kEnd)
      if (const Pair* pushed = find(ids[previous[place]], ids[place]))
        queue.push(key(*pushed, previous[place]));
  }
  std::erase(ids, -1);
}

}  // namespace skein::text
