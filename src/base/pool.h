// Threads that run one function together and meet at barriers inside it.
#pragma once

#include <cstdint>
#include <functional>

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

// A team of threads out of the process's one crew. Any number of models have pools, and their runs
// take turns on the crew's threads, first come, first served: together they never keep more threads
// busy than there are processors (or than the largest pool has, where that is more). Pools of one
// thread need nobody else's and run beside each other while there are processors for them.
//
// Waiting workers spin for a moment and then sleep, so an idle crew costs nothing; with more
// threads than processors they sleep at once, since what they wait for needs their processor. The
// crew's threads end with the last pool. A process that fork() made has none of its parent's
// threads: its first run starts as many anew, and waits for nobody who stayed behind.
class Pool {
 public:
  // On failure to start threads there are fewer of them (size() tells).
  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int size() const { return size_; }

  // Runs work(index) for every index in [0, size()), each on its own thread, the caller's being 0,
  // and waits. Any thread may call, but not from inside another pool's work, where pools are not
  // made or ended either. Error: memory (a forked process that is given no threads; nothing was
  // run).
  Status run(const std::function<void(int index)>& work);
  // work(0) on the caller's thread alone, in turn like a pool of one thread.
  void run_alone(const std::function<void(int index)>& work);

  // For use inside `work`: nobody goes on before everybody has come.
  void barrier();

 private:
  int size_ = 1;
};

// Divides `count` items among the threads as share() does and waits. The error is that of the
// thread with the lowest items: where `work` stops at the first item that is wrong, the same one
// for any number of threads. Running out of memory is Code::memory.
Status run_shares(Pool& pool, int64_t count, const std::function<Status(Range)>& work);

}  // namespace skein
