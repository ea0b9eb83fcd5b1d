#include "cli/fits.h"

#include "base/limits.h"
#include "base/platform.h"

namespace skein::cli {

Room room_for(uint64_t bytes) {
  const uint64_t total = memory_total(), free = memory_available();
  if (total > 0 && bytes > total) return Room::too_little;
  return free > 0 && bytes > free ? Room::not_now : Room::enough;
}

const char* room_name(Room room) {
  switch (room) {
    case Room::enough: return "fits";
    case Room::not_now: return "not now";
    case Room::too_little: return "too large";
  }
  return "";
}

uint64_t memory_for_file(uint64_t bytes) { return bytes + bytes / 40 + 40 * limits::kMiB; }

}  // namespace skein::cli
