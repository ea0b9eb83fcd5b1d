// Idempotency-Key: a request that is sent again, since its answer was lost on the way, is given
// that answer again and changes nothing a second time.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "server/api_error.h"
#include "server/site.h"
#include "server/workers.h"
#include "store/store.h"

namespace skein::server {

class Replays {
 public:
  Replays(store::Store& store, Workers& workers) : store_(store), workers_(workers) {}

  // On a worker's thread, before the request is served. True: it was answered with what was
  // answered before. From false on its answer is kept for a day, if it is none of an error. Errors:
  // 400 (no such key), 409 (the same is under way, or another request had that key).
  Asked<bool> answer(const std::shared_ptr<Exchange>& exchange, const store::Tenant& tenant);

 private:
  struct Kept;
  std::optional<Kept> find(const store::Tenant& tenant, const std::string& id) const;
  void keep(const store::Tenant& tenant, const std::string& id, const Kept& kept) const;

  store::Store& store_;
  Workers& workers_;
  // Those under way, by tenant and id; a mark outlives neither its exchange nor its answer.
  std::mutex mutex_;
  std::map<std::pair<store::Tenant, std::string>, std::weak_ptr<void>> running_;
};

}  // namespace skein::server
