// Constraints that were made before, by what they were made from: a server is asked for the same
// few schemas again and again. Bounded by the bytes they hold with all that their use has added;
// the one that was not asked for the longest time goes first.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string_view>

#include "base/hash.h"
#include "constrain/constraint.h"

namespace skein::constrain {

class Compiled {
 public:
  explicit Compiled(size_t most_bytes = 256 << 20) : most_bytes_(most_bytes) {}

  // That of the process.
  static Compiled& shared();

  // `options`: whatever else changes what the text means.
  static Digest key(std::string_view language, std::string_view text, std::string_view options,
                    const Words& words);

  // Made by `make`, if it is not there; without a lock, so that others go on meanwhile. What could
  // not be made is not kept.
  Checked<ConstraintPtr> get(const Digest& key,
                             const std::function<Checked<ConstraintPtr>()>& make);

  struct Counts {
    size_t constraints = 0;
    size_t bytes = 0;
    uint64_t found = 0;
    uint64_t made = 0;
  };
  Counts counts() const;

 private:
  struct Entry {
    Digest key;
    ConstraintPtr constraint;
    size_t counted = 0;  // its bytes when they were last asked for
  };
  using Place = std::list<Entry>::iterator;

  void count_again(Entry& entry);
  void make_room();

  const size_t most_bytes_;
  mutable std::mutex mutex_;
  std::list<Entry> order_;  // the last asked for first
  std::map<Digest, Place> places_;
  Counts counts_;
};

}  // namespace skein::constrain
