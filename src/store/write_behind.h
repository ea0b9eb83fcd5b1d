// Snapshots that are not written yet, and the thread that writes them. What waits is bounded.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "store/store.h"

namespace skein::store {

class WriteBehind {
 public:
  struct Job {
    Tenant tenant{};
    std::string id;
    Image image;
  };

  WriteBehind(int64_t bytes, std::function<void(const Job&)> write);
  // What waits is dropped.
  ~WriteBehind();
  WriteBehind(const WriteBehind&) = delete;
  WriteBehind& operator=(const WriteBehind&) = delete;

  // False: too much waits. One that is larger than all that may wait comes alone.
  bool push(Job job);
  // Until nothing waits of what was there.
  void wait();
  int64_t bytes() const;

 private:
  void run();

  const int64_t most_;
  const std::function<void(const Job&)> write_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;  // the first one is being written
  int64_t bytes_ = 0;
  uint64_t pushed_ = 0, done_ = 0;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace skein::store
