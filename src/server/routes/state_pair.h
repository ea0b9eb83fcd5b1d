// A state's numbers, or two states' of one model, for routes that look at them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/routes/state_json.h"

namespace skein::server {

struct StatePair {
  ExchangePtr exchange;
  store::Node nodes[2];
  std::string texts[2];
  const Served* served = nullptr;
  History histories[2];
};
// The state that the path names and `other`, which a field of the query does. Errors: 400, 404, 409
// (of different models).
Asked<std::shared_ptr<StatePair>> read_pair(Service& service, const ExchangePtr& exchange,
                                            const std::string& other, const char* field);
// `then`: on a worker's thread, unless the exchange was told an error instead.
void read_both(Service& service, const std::shared_ptr<StatePair>& pair,
               std::function<void(const State& first, const State& second)> then);
void read_one(Service& service, const ExchangePtr& exchange, const Place& place,
              std::function<void(const State& state)> then);

}  // namespace skein::server
