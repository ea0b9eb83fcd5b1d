// Whether a model that needs so much memory fits this machine.
#pragma once

#include <cstdint>
#include <string>

namespace skein::cli {

enum class Room { enough, not_now, too_little };

// `too_little`: more than this process may have; `not_now`: more than is free at the moment.
Room room_for(uint64_t bytes);
const char* room_name(Room room);  // "fits", "not now", "too large"

// What a file of so many bytes will need at most when it runs, before anything of it can be read: a
// fortieth and 40 MiB cover states, a step and the second plane of the sizes that are published.
uint64_t memory_for_file(uint64_t bytes);

}  // namespace skein::cli
