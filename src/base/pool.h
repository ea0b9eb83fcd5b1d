// A small pool of threads that run one function together and meet at barriers inside it.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <functional>
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
// physical core that this process may use, and no more than its control group grants. Error:
// argument (not a number, below 1, above limits::kThreads).
Result<int> thread_count(int requested);

// Not reentrant: one run() at a time; the caller's thread is worker 0. Waiting workers spin for a
// moment and then sleep, so an idle pool costs nothing; with more threads than processors they
// sleep at once, since what they wait for needs their processor. A process that fork() made has
// none of its parent's threads: its first run() starts as many anew.
class Pool {
 public:
  // Threads start at once; on failure there are fewer of them (size() tells).
  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int size() const { return size_; }

  // Runs work(index) for every index in [0, size()), each on its own thread, and waits. Error:
  // memory (a forked process that is given no threads; nothing was run).
  Status run(const std::function<void(int index)>& work);

  // For use inside `work`: nobody goes on before everybody has come.
  void barrier();

 private:
  struct Worker {
    Pool* pool = nullptr;
    int index = 0;
    pthread_t thread{};
  };
  static void* begin(void* worker);
  int start();  // gives how many started
  void stop(int started);
  Status start_again();
  void serve(int index);
  void await_change(const std::atomic<uint32_t>& word, uint32_t seen) const;

  // Each word that threads wait for has a cache line of its own.
  alignas(64) std::atomic<uint32_t> job_{0};  // counts run() calls; a change wakes the workers
  alignas(64) std::atomic<uint32_t> running_{0};
  alignas(64) std::atomic<uint32_t> arrived_{0};
  alignas(64) std::atomic<uint32_t> generation_{0};
  alignas(64) std::atomic<bool> stop_{false};
  const std::function<void(int)>* work_ = nullptr;
  bool crowded_ = false;  // more threads than processors
  int size_ = 1;
  uint32_t process_ = 0;         // the one that has the threads
  std::vector<Worker> workers_;  // size_ - 1, but for what the system did not give
};

// Divides `count` items among the threads as share() does and waits. The error is that of the
// thread with the lowest items: where `work` stops at the first item that is wrong, the same one
// for any number of threads. Running out of memory is Code::memory.
Status run_shares(Pool& pool, int64_t count, const std::function<Status(Range)>& work);

}  // namespace skein
