// The state at the end of a history, for whoever wants its numbers: one that is kept, or what
// reading makes of it.
#pragma once

#include <functional>
#include <vector>

#include "server/host.h"
#include "server/workers.h"

namespace skein::server {

struct StateReading {
  std::function<bool()> gone;  // nobody wants it any more
  std::function<void()> accepted{};
  std::function<void(size_t tokens, size_t all)> progressed{};
  // One of the two, on a worker's thread, or at once on the caller's. `cached`: tokens that were
  // not read.
  std::function<void(const StateTree::Kept& kept, size_t cached)> then;
  std::function<void(const ApiError& error)> failed;
};
void read_state_at(Host& host, Workers& workers, const Start& start, std::vector<int32_t> tokens,
                   const Source& source, StateReading reading);

}  // namespace skein::server
