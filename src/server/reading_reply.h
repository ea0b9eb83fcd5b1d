// The answer to a request whose prompts are only read: when all of them are, what was found out
// about them becomes one JSON text.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/host.h"
#include "server/question.h"
#include "server/site.h"
#include "server/workers.h"

namespace skein::server {

// Each order's first_choice is its place.
std::vector<Order> reading_orders(std::vector<std::vector<int32_t>> prompts, const Wanted& wanted);

// Prompts that a request wants read, and what becomes of that.
struct ReadingRequest {
  std::vector<std::vector<int32_t>> prompts;
  Wanted wanted;
  int64_t tokens = 0;  // of all of them
  std::function<std::string(const std::vector<Findings>&)> write;
};
// The way of such a request, of which `read` makes one, from the body to the host.
void answer_readings(Service& service, const std::shared_ptr<Exchange>& exchange,
                     Asked<ReadingRequest> (*read)(const Question& asked));
void start_readings(Service& service, const std::shared_ptr<Exchange>& exchange,
                    const Question& asked, ReadingRequest request);

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
