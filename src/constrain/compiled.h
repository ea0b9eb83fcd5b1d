// Constraints that were made before, by what they were made from: a server is asked for the same
// few schemas again and again. Bounded by the bytes they hold with all that their use has added;
// the one that was not asked for the longest time goes first.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

#include "base/hash.h"
#include "constrain/constraint.h"
#include "constrain/schema.h"

namespace skein::constrain {

struct Made {
  ConstraintPtr constraint;
  SchemaNotes notes{};
};

class Compiled {
 public:
  explicit Compiled(size_t most_bytes = 256 << 20) : most_bytes_(most_bytes) {}

  // That of the process.
  static Compiled& shared();

  // `options`: whatever else changes what the text means.
  static Digest key(std::string_view language, std::string_view text, std::string_view options,
                    const Words& words);

  // Made by `make`, if it is not there; without a lock, so that others go on meanwhile. Who asks
  // for one that is being made waits for it. What could not be made is not kept.
  Checked<Made> get(const Digest& key, const std::function<Checked<Made>()>& make);
  // Nothing where it is not there.
  std::optional<Made> find(const Digest& key);

  struct Counts {
    size_t constraints = 0;
    size_t bytes = 0;
    uint64_t found = 0;
    uint64_t made = 0;
    uint64_t awaited = 0;  // that somebody else was making
  };
  Counts counts() const;

 private:
  struct Entry {
    Digest key;
    Made made;
    size_t counted = 0;  // its bytes when they were last asked for
  };
  using Place = std::list<Entry>::iterator;

  struct Flight {
    Flight();
    // At first that there is no memory, since there may be none to say so later.
    Checked<Made> outcome;
    bool landed = false;
  };
  class Landing;
  using FlightPtr = std::shared_ptr<Flight>;

  std::optional<Made> known(const Digest& key);
  void keep(const Digest& key, const Made& made);
  void land(const Digest& key, Flight& flight);
  void count_again(Entry& entry);
  void make_room();

  const size_t most_bytes_;
  mutable std::mutex mutex_;
  std::list<Entry> order_;  // the last asked for first
  std::map<Digest, Place> places_;
  std::map<Digest, FlightPtr> flights_;  // that are being made
  std::condition_variable landed_;
  Counts counts_;
};

}  // namespace skein::constrain
