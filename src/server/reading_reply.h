// The answer to a request whose prompts are only read: when all of them are, what was found out
// about them becomes one JSON text.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/host.h"
#include "server/site.h"
#include "server/workers.h"

namespace skein::server {

// Each order's first_choice is its place.
std::vector<Order> reading_orders(std::vector<std::vector<int32_t>> prompts, const Wanted& wanted);

struct ReadingPlan {
  std::shared_ptr<Exchange> exchange;
  const Host* host = nullptr;
  Workers* workers = nullptr;
  size_t prompts = 0;
  int64_t tokens = 0;  // of all of them
  // By place; on a worker's thread.
  std::function<std::string(const std::vector<Findings>&)> write;
};
std::shared_ptr<Reply> make_reading_reply(ReadingPlan plan);

}  // namespace skein::server
