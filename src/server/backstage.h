// What single routes remember between requests.
#pragma once

#include <memory>
#include <mutex>

namespace skein::server {

struct Backstage {
  std::mutex mutex;
  std::weak_ptr<void> race;  // of the one that runs
};

}  // namespace skein::server
