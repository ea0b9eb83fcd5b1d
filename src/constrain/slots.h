// A hash table of numbers whose contents stand elsewhere: finds the one of equal content.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace skein::constrain {

inline uint64_t mixed(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15;
  return hash ^ hash >> 32;
}

class Slots {
 public:
  static constexpr uint32_t kNone = 0xffffffff;

  template <typename Same>
  uint32_t find(uint64_t hash, const Same& same) const {
    for (size_t at = hash & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
      const Slot& slot = slots_[at];
      if (slot.number == kNone) return kNone;
      if (slot.hash == hash && same(slot.number)) return slot.number;
    }
  }
  // `number` is not there yet.
  void add(uint64_t hash, uint32_t number) {
    if (++count_ * 2 > slots_.size()) {
      std::vector<Slot> before(slots_.size() * 2);
      before.swap(slots_);
      for (const Slot& slot : before)
        if (slot.number != kNone) put(slot);
    }
    put({hash, number});
  }
  void clear() {
    slots_.assign(kFirstSize, {});
    count_ = 0;
  }
  size_t bytes_held() const { return slots_.capacity() * sizeof(Slot); }

 private:
  struct Slot {
    uint64_t hash = 0;
    uint32_t number = kNone;
  };
  static constexpr size_t kFirstSize = 64;

  void put(const Slot& slot) {
    size_t at = slot.hash & (slots_.size() - 1);
    while (slots_[at].number != kNone) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = slot;
  }

  std::vector<Slot> slots_ = std::vector<Slot>(kFirstSize);
  size_t count_ = 0;
};

}  // namespace skein::constrain
