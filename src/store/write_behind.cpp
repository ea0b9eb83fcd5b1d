#include "store/write_behind.h"

namespace skein::store {

WriteBehind::WriteBehind(int64_t bytes, std::function<void(const Job&)> write)
    : most_(bytes), write_(std::move(write)), thread_([this] { run(); }) {}

WriteBehind::~WriteBehind() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool WriteBehind::push(Job job) {
  {
    const std::lock_guard lock(mutex_);
    const auto bytes = static_cast<int64_t>(job.image.bytes);
    if (!jobs_.empty() && bytes > most_ - bytes_) return false;
    jobs_.push_back(std::move(job));
    bytes_ += bytes;
    ++pushed_;
  }
  changed_.notify_all();
  return true;
}

void WriteBehind::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this, until = pushed_] { return done_ >= until; });
}

int64_t WriteBehind::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

void WriteBehind::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return closing_ || !jobs_.empty(); });
    if (closing_) return;
    const Job& job = jobs_.front();  // a deque's elements stay where they are
    lock.unlock();
    write_(job);
    lock.lock();
    bytes_ -= static_cast<int64_t>(job.image.bytes);
    jobs_.pop_front();
    ++done_;
    changed_.notify_all();
  }
}

}  // namespace skein::store
