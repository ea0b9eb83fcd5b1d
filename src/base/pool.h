// A small pool of threads that run one function together and meet at barriers inside it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/error.h"

namespace skein {

// The share of `total` items that belongs to part `index` of `parts`, in whole groups of `grain`.
struct Range {
  int64_t begin = 0;
  int64_t end = 0;
};
Range share(int64_t total, int index, int parts, int64_t grain = 1);

// The thread count that a request means: 0 asks for SKEIN_THREADS or, without it, one thread per
// physical core. Error: argument (not a number, below 1, above limits::kThreads).
Result<int> thread_count(int requested);

// Not reentrant: one run() at a time; the caller's thread is worker 0. Waiting workers spin for a
// moment and then sleep, so an idle pool costs nothing.
class Pool {
 public:
  // Threads start at once; on failure there are fewer of them (size() tells).
  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Runs work(index) for every index in [0, size()), each on its own thread, and waits.
  void run(const std::function<void(int index)>& work);

  // For use inside `work`: nobody goes on before everybody has come.
  void barrier();

 private:
  void serve(int index);

  std::vector<std::thread> workers_;
  const std::function<void(int)>* work_ = nullptr;
  std::atomic<uint64_t> job_{0};  // counts run() calls; a change wakes the workers
  std::atomic<int> running_{0};
  std::atomic<int> arrived_{0};
  std::atomic<uint32_t> generation_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace skein
