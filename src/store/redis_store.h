// The store of any number of servers, in a Redis that they share.
//
// What is promised. What a call has acknowledged is in Redis: the end of a server by any signal
// takes nothing of it, and another one goes on from there. Whether it survives the end of Redis is
// Redis's to say (appendonly, appendfsync). Changes happen together or not at all, and what they
// were decided by was so when they happened, whoever else writes (WATCH and EXEC); but of a change
// during which Redis stopped answering nobody knows whether it happened: its error is
// `unavailable`. Rows and snapshots have checksums and say whose they are; what is another
// program's is not believed.
//
// No call waits longer than a second or two, but for what has many bytes to move, and none waits
// while Redis does not answer: that is told at once, and a thread of its own tries to reach it.
#pragma once

#include <condition_variable>
#include <thread>

#include "store/redis_images.h"
#include "store/redis_tables.h"
#include "store/table_store.h"

namespace skein::store {

struct RedisOptions {
  RedisAddress address{};
  std::string password{};
  std::string prefix = "skein:";
  std::chrono::milliseconds patience{1000};
  // What a server that has ended left growing is cut after so long.
  std::chrono::milliseconds lease{15'000};
};

class RedisStore final : public TableStore {
 public:
  RedisStore(std::unique_ptr<RedisTables> tables, std::unique_ptr<RedisImages> images,
             std::shared_ptr<RedisNews> news, Options options, std::chrono::milliseconds lease);
  ~RedisStore() override;

  Health health() override;
  std::vector<std::string> news() override { return news_->take(); }

 private:
  void tend();
  void look();

  RedisTables* redis_;
  RedisImages* pictures_;
  const std::shared_ptr<RedisNews> news_;
  const std::chrono::milliseconds lease_;
  std::chrono::steady_clock::time_point looked_at_{};
  std::mutex closing_mutex_;
  std::condition_variable closed_;
  bool closing_ = false;
  std::thread tender_;
};

// One that cannot be reached is reached for later, which news() tell. Errors: argument (the
// password), mismatch (another program's keys), unsupported (a newer Skein's).
Result<std::unique_ptr<RedisStore>> open_redis_store(const RedisOptions& redis, Options options);

}  // namespace skein::store
