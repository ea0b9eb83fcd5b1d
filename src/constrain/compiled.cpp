#include "constrain/compiled.h"

#include <new>
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

Compiled::Flight::Flight()
    : outcome(
          tl::unexpected(Problems{{"constraint_too_large", "", "there is no memory for it now"}})) {
}

// A flight lands whatever happens, so that nobody waits for it in vain.
class Compiled::Landing {
 public:
  Landing(Compiled& cache, const Digest& key, FlightPtr flight)
      : cache_(cache), key_(key), flight_(std::move(flight)) {}
  Landing(const Landing&) = delete;
  Landing& operator=(const Landing&) = delete;
  ~Landing() { cache_.land(key_, *flight_); }

 private:
  Compiled& cache_;
  const Digest& key_;
  const FlightPtr flight_;
};

std::optional<Made> Compiled::known(const Digest& key) {
  const auto it = places_.find(key);
  if (it == places_.end()) return std::nullopt;
  order_.splice(order_.begin(), order_, it->second);
  count_again(*it->second);
  return it->second->made;
}

std::optional<Made> Compiled::find(const Digest& key) {
  const std::lock_guard lock(mutex_);
  auto found = known(key);
  if (found) ++counts_.found;
  return found;
}

Checked<Made> Compiled::get(const Digest& key, const std::function<Checked<Made>()>& make) {
  FlightPtr flight;
  {
    std::unique_lock lock(mutex_);
    if (auto found = known(key)) {
      ++counts_.found;
      return std::move(*found);
    }
    if (const auto it = flights_.find(key); it != flights_.end()) {
      ++counts_.awaited;
      flight = it->second;
      landed_.wait(lock, [&] { return flight->landed; });
      return flight->outcome;
    }
    flight = std::make_shared<Flight>();
    flights_[key] = flight;
  }
  const Landing landing(*this, key, flight);
  auto made = make();
  if (made) keep(key, *made);
  flight->outcome = made;
  return made;
}

void Compiled::keep(const Digest& key, const Made& made) {
  std::list<Entry> entry;
  entry.push_front({key, made});
  const std::lock_guard lock(mutex_);
  places_[key] = entry.begin();
  order_.splice(order_.begin(), entry);
  ++counts_.made;
  ++counts_.constraints;
  // Uses have added to others meanwhile.
  for (Entry& each : order_) count_again(each);
  make_room();
}

void Compiled::land(const Digest& key, Flight& flight) {
  {
    const std::lock_guard lock(mutex_);
    flights_.erase(key);
    flight.landed = true;
  }
  landed_.notify_all();
}

void Compiled::count_again(Entry& entry) {
  counts_.bytes -= entry.counted;
  entry.counted = entry.made.constraint->bytes_held() + kEntryBytes;
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
