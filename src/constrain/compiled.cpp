#include "constrain/compiled.h"

#include <string>

namespace skein::constrain {
namespace {

constexpr size_t kEntryBytes = sizeof(Constraint) + 256;  // with the places that know it

}  // namespace

Compiled& Compiled::shared() {
  static Compiled all;
  return all;
}

Digest Compiled::key(std::string_view language, std::string_view text, std::string_view options,
                     const Words& words) {
  Sha256 hash;
  for (const std::string_view part : {language, text, options}) {
    hash.update(std::to_string(part.size()) + " ");
    hash.update(part);
  }
  hash.update(std::as_bytes(std::span(words.identity())));
  return hash.finish();
}

Checked<ConstraintPtr> Compiled::get(const Digest& key,
                                     const std::function<Checked<ConstraintPtr>()>& make) {
  const auto known = [&]() -> ConstraintPtr {
    const auto it = places_.find(key);
    if (it == places_.end()) return nullptr;
    order_.splice(order_.begin(), order_, it->second);
    count_again(*it->second);
    return it->second->constraint;
  };
  {
    const std::lock_guard lock(mutex_);
    if (ConstraintPtr found = known()) {
      ++counts_.found;
      return found;
    }
  }
  auto made = make();
  if (!made) return made;
  const std::lock_guard lock(mutex_);
  ++counts_.made;
  if (ConstraintPtr found = known()) return found;  // somebody was quicker
  order_.push_front({key, *made});
  places_[key] = order_.begin();
  ++counts_.constraints;
  // Uses have added to others meanwhile.
  for (Entry& entry : order_) count_again(entry);
  make_room();
  return made;
}

void Compiled::count_again(Entry& entry) {
  counts_.bytes -= entry.counted;
  entry.counted = entry.constraint->bytes_held() + kEntryBytes;
  counts_.bytes += entry.counted;
}

void Compiled::make_room() {
  while (counts_.bytes > most_bytes_ && order_.size() > 1) {
    counts_.bytes -= order_.back().counted;
    --counts_.constraints;
    places_.erase(order_.back().key);
    order_.pop_back();
  }
}

Compiled::Counts Compiled::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace skein::constrain
