// Byte pair merging. Private to src/text.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"

namespace skein::text {

struct Merge {
  int32_t left = 0;
  int32_t right = 0;
  int32_t result = 0;
};

class MergeTable {
 public:
  // `merges` in order of rank, ids in [0, size). Error: corrupt when a pair stands twice.
  static Result<MergeTable> create(std::span<const Merge> merges, int32_t size);

  // Merges the adjacent pair of the lowest rank, the leftmost among equals, until none is left.
  // O(n log n) in the number of ids.
  void apply(std::vector<int32_t>& ids) const;

 private:
  // The pairs of one left id stand together, sorted by the right one. A hash table would be
  // somewhat faster and could be made slow by whoever writes the file.
  struct Pair {
    int32_t right = 0;
    int32_t result = 0;
    uint32_t rank = 0;
  };
  const Pair* find(int32_t left, int32_t right) const;
  void apply_short(std::vector<int32_t>& ids) const;
  void apply_long(std::vector<int32_t>& ids) const;

  std::vector<Pair> pairs_;
  std::vector<uint32_t> begin_;  // [size + 1] in pairs_, by left id
};

}  // namespace skein::text
