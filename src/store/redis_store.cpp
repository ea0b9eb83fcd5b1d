#include "store/redis_store.h"

#include <new>

namespace skein::store {
namespace {

constexpr std::chrono::milliseconds kTendEvery{50};

// What of its settings takes what was answered. Who may not ask is told nothing.
void advise(RedisLink& link, RedisNews& news) {
  RedisCommands commands;
  commands.add({"INFO", "memory"});
  commands.add({"INFO", "persistence"});
  RedisPatience patience = link.patience();
  const auto replies = link.exchange(commands, patience);
  if (!replies) return;
  if ((*replies)[0].text.find("maxmemory_policy:allkeys") != std::string::npos)
    news.tell(
        "the Redis of the store forgets whatever it likes when it is full "
        "(maxmemory-policy allkeys-...), and so answers that were kept; its setting has to be "
        "noeviction");
  if ((*replies)[1].text.find("aof_enabled:0") != std::string::npos)
    news.tell(
        "the Redis of the store writes no log (appendonly no): what was kept since its last "
        "image of itself ends with it");
}

}  // namespace

RedisStore::RedisStore(std::unique_ptr<RedisTables> tables, std::unique_ptr<RedisImages> images,
                       std::shared_ptr<RedisNews> news, Options options,
                       std::chrono::milliseconds lease)
    : TableStore(std::move(tables), std::move(images), std::move(options)),
      redis_(static_cast<RedisTables*>(&this->tables())),
      pictures_(static_cast<RedisImages*>(&this->images())),
      news_(std::move(news)),
      lease_(lease) {
  look();
  tender_ = std::thread([this] { tend(); });
}

RedisStore::~RedisStore() {
  {
    const std::lock_guard lock(closing_mutex_);
    closing_ = true;
  }
  closed_.notify_all();
  tender_.join();
}

Health RedisStore::health() {
  Health out = TableStore::health();
  out.shared = true;
  out.up = news_->up();
  out.connections = news_->connections();
  out.failures = news_->failures();
  return out;
}

// That this process lives, and whether others do.
void RedisStore::look() {
  {
    const std::lock_guard lock(mutex());
    if (!redis_->renew()) return;
  }
  if (look_around()) looked_at_ = std::chrono::steady_clock::now();
}

void RedisStore::tend() {
  std::unique_lock lock(closing_mutex_);
  while (!closing_) {
    lock.unlock();
    try {
      static_cast<void>(redis_->link().tend());
      pictures_->tend();
      const auto now = std::chrono::steady_clock::now();
      if (now - looked_at_ >= lease_ / 3 && redis_->link().epoch() > 0) look();
    } catch (const std::bad_alloc&) {
      // Another time.
    }
    lock.lock();
    closed_.wait_for(lock, kTendEvery, [this] { return closing_; });
  }
}

Result<std::unique_ptr<RedisStore>> open_redis_store(const RedisOptions& redis, Options options) {
  const auto news = std::make_shared<RedisNews>();
  const RedisLink::Options how{.address = redis.address,
                               .password = redis.password,
                               .prefix = redis.prefix,
                               .patience = redis.patience,
                               .tells = true};
  auto link = std::make_unique<RedisLink>(how, news);
  if (auto tried = link->tend(true); !tried && tried.error().code != Code::network)
    return tl::unexpected(std::move(tried).error());
  advise(*link, *news);
  auto images = std::make_unique<RedisImages>(how, news);
  images->tend();
  auto tables = std::make_unique<RedisTables>(std::move(link), new_id(), redis.lease);
  return std::make_unique<RedisStore>(std::move(tables), std::move(images), news,
                                      std::move(options), redis.lease);
}

}  // namespace skein::store
