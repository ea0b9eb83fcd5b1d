#include "server/workers.h"

#include <utility>

namespace skein::server {

Workers::Workers(size_t threads, size_t waiting) : waiting_(waiting) {
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

void Workers::stop() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  // Nothing is added any more. Each goes when it is done, with what it held.
  while (!work_.empty()) {
    const Work work = std::move(work_.front());
    work_.pop_front();
    if (work.owed) work.call();
  }
}

bool Workers::push(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (closing_ || work_.size() >= waiting_) return false;
    work_.push_back({std::move(work), false});
  }
  changed_.notify_one();
  return true;
}

void Workers::owe(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (!closing_) work_.push_back({std::exchange(work, nullptr), true});
  }
  if (work) return work();
  changed_.notify_one();
}

void Workers::run() {
  while (true) {
    std::function<void()> work;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return closing_ || !work_.empty(); });
      if (closing_) return;
      work = std::move(work_.front().call);
      work_.pop_front();
    }
    work();
  }
}

}  // namespace skein::server
