#include "base/leftovers.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <cstring>

namespace skein {

// Fixed places and atomics only, because a signal handler may neither lock nor allocate.
struct LeftoverSlot {
  enum State { empty, changing, listed };
  std::atomic<int> state{empty};
  int folder = -1;
  int flags = 0;
  std::array<char, PATH_MAX> name{};
};

namespace {

constexpr size_t kSlots = 64;
std::array<LeftoverSlot, kSlots> slots;

LeftoverSlot* list(int folder, const std::string& name, int flags) {
  if (name.size() >= PATH_MAX) return nullptr;
  for (LeftoverSlot& slot : slots) {
    int expected = LeftoverSlot::empty;
    if (!slot.state.compare_exchange_strong(expected, LeftoverSlot::changing)) continue;
    slot.folder = folder;
    slot.flags = flags;
    std::memcpy(slot.name.data(), name.c_str(), name.size() + 1);
    slot.state.store(LeftoverSlot::listed);
    return &slot;
  }
  return nullptr;
}

}  // namespace

Leftover Leftover::file(int folder, const std::string& name) {
  return Leftover(list(folder, name, 0));
}

Leftover Leftover::folder(const std::filesystem::path& path) {
  return Leftover(list(AT_FDCWD, path.string(), AT_REMOVEDIR));
}

Leftover::~Leftover() {
  if (slot_) slot_->state.store(LeftoverSlot::empty);
}

void remove_leftovers() {
  // The last that was made first: a folder is empty when what was made in it is gone.
  for (auto slot = slots.rbegin(); slot != slots.rend(); ++slot)
    if (slot->state.load() == LeftoverSlot::listed)
      ::unlinkat(slot->folder, slot->name.data(), slot->flags);
}

}  // namespace skein
