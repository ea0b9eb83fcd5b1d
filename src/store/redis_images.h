// Snapshots as values of a Redis, framed (framed_image.h), under image:ID. One that no node was
// said to have is forgotten after a while.
#pragma once

#include <memory>

#include "store/redis_link.h"
#include "store/tables.h"

namespace skein::store {

class RedisImages final : public Images {
 public:
  explicit RedisImages(const RedisLink::Options& options, const std::shared_ptr<RedisNews>& news);

  Stored<void> put(std::string_view id, std::vector<std::byte> image) override;
  Stored<std::optional<std::vector<std::byte>>> get(std::string_view id) override;
  void drop(std::string_view id) override;
  void keep_only(const std::function<bool(std::string_view)>&) override {}

  void tend();

 private:
  std::string key(std::string_view id) const;
  // One for each way, so that nobody who reads waits for what is written behind.
  struct Way {
    RedisLink link;
    std::mutex mutex;
  };
  Stored<RedisReply> ask(Way& way, std::initializer_list<std::string_view> words);
  Way read_, write_;
};

}  // namespace skein::store
