#include "run/draft.h"

#include <algorithm>

namespace skein {
namespace {

// The longest match of each class but the last, and what a guess from it is worth before anything
// was seen: little, so that a text has to show that it repeats itself.
constexpr int64_t kClassEnds[] = {2, 3, 4, 6, 8, 12, 16, 24};
constexpr double kFirstShares[] = {0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85};
// A share is an average over about so many guesses.
constexpr double kMemory = 32;

}  // namespace

PromptLookup::PromptLookup() : tokens_(static_cast<size_t>(kWindow)) {
  static_assert(std::size(kClassEnds) + 1 == kClasses && std::size(kFirstShares) == kClasses);
  for (auto& table : last_) table.resize(size_t{1} << kSlotBits);
  std::copy(std::begin(kFirstShares), std::end(kFirstShares), right_.begin());
}

size_t PromptLookup::class_of(int64_t length) {
  return static_cast<size_t>(
      std::lower_bound(std::begin(kClassEnds), std::end(kClassEnds), length) -
      std::begin(kClassEnds));
}

// Where the last `order` tokens are looked up.
size_t PromptLookup::slot(int64_t order) const {
  uint64_t hash = 0;
  for (int64_t i = count_ - order; i < count_; ++i)
    hash = (hash ^ (static_cast<uint64_t>(at(i)) + 1)) * 0x9e3779b97f4a7c15;
  return static_cast<size_t>(hash >> (64 - kSlotBits));
}

// How many tokens before `end` are the text's last ones, up to kLongest.
int64_t PromptLookup::common(int64_t end) const {
  const int64_t most = std::min(end, kLongest);
  int64_t length = 0;
  while (length < most && at(end - 1 - length) == at(count_ - 1 - length)) ++length;
  return length;
}

void PromptLookup::push(int32_t id) {
  if (match_ >= 0) {
    const bool right = at(match_) == id;
    double& share = right_[class_of(length_)];
    share += ((right ? 1.0 : 0.0) - share) / kMemory;
    match_ = right ? match_ + 1 : -1;
    length_ = right ? std::min(length_ + 1, kLongest) : 0;
  }
  tokens_[static_cast<size_t>(count_ % kWindow)] = id;
  ++count_;
  for (size_t i = kOrders.size(); i-- > 0;) {
    if (count_ < kOrders[i]) continue;
    uint32_t& entry = last_[i][slot(kOrders[i])];
    const int64_t distance = static_cast<uint32_t>(count_) - entry;
    entry = static_cast<uint32_t>(count_);
    // Beyond it the ring has forgotten what stood before the match.
    if (distance > kWindow - kLongest || distance > count_) continue;
    const int64_t end = count_ - distance;
    const int64_t length = common(end);
    // Of matches that are equally long the nearest counts.
    if (length < kOrders[i] || length < length_ || (length == length_ && end < match_)) continue;
    match_ = end;
    length_ = length;
  }
}

size_t PromptLookup::guess(std::span<Guess> out) const {
  if (match_ < 0) return 0;
  for (size_t i = 0; i < out.size(); ++i) {
    const auto ahead = static_cast<int64_t>(i);
    // Past its end the text goes on as guessed: the match may overlap it.
    const int64_t place = match_ + ahead;
    out[i] = {place < count_ ? at(place) : out[static_cast<size_t>(place - count_)].id,
              right_[class_of(std::min(length_ + ahead, kLongest))]};
  }
  return out.size();
}

}  // namespace skein
