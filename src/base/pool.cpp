#include "base/pool.h"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "base/limits.h"
#include "base/platform.h"

namespace skein {
namespace {

// How long a waiting thread burns its core before it lets go. A barrier inside a step comes within
// microseconds, the next step within a millisecond; beyond that sleeping is cheaper for everybody.
constexpr int kSpins = 2000;  // about 50 us of pause instructions
constexpr int kYields = 200;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Waits for `ready` by spinning, then by yielding; false if it has not come by then.
template <typename Ready>
bool wait_briefly(const Ready& ready) {
  for (int i = 0; i < kSpins; ++i) {
    if (ready()) return true;
    relax();
  }
  for (int i = 0; i < kYields; ++i) {
    if (ready()) return true;
    std::this_thread::yield();
  }
  return ready();
}

}  // namespace

Range share(int64_t total, int index, int parts, int64_t grain) {
  const int64_t groups = (total + grain - 1) / grain;
  const int64_t begin = groups * index / parts * grain;
  const int64_t end = groups * (index + 1) / parts * grain;
  return {begin < total ? begin : total, end < total ? end : total};
}

Result<int> thread_count(int requested) {
  const auto bounded = [](int count) -> Result<int> {
    if (count < 1 || count > static_cast<int>(limits::kThreads))
      return fail(Code::argument, "{} threads asked for; it has to be 1 to {}", count,
                  limits::kThreads);
    return count;
  };
  if (requested != 0) return bounded(requested);
  static const char* const setting = std::getenv("SKEIN_THREADS");
  if (!setting || !*setting) return physical_cores();
  const std::string_view text(setting);
  int count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size())
    return fail(Code::argument, "SKEIN_THREADS is \"{}\"; it has to be a number from 1 to {}",
                escaped(text), limits::kThreads);
  return bounded(count);
}

Pool::Pool(int threads) {
  workers_.reserve(static_cast<size_t>(threads > 1 ? threads - 1 : 0));  // before any thread runs
  for (int index = 1; index < threads; ++index) {
    try {
      workers_.emplace_back([this, index] { serve(index); });
    } catch (const std::system_error&) {
      break;  // the system has no more threads to give; fewer give the same results
    }
  }
}

Pool::~Pool() {
  {
    const std::lock_guard lock(mutex_);
    stop_.store(true);
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Pool::run(const std::function<void(int)>& work) {
  if (workers_.empty()) return work(0);
  work_ = &work;
  running_.store(static_cast<int>(workers_.size()));
  {
    const std::lock_guard lock(mutex_);
    job_.fetch_add(1);
  }
  wake_.notify_all();
  work(0);
  while (!wait_briefly([this] { return running_.load() == 0; })) std::this_thread::yield();
}

void Pool::serve(int index) {
  // Threads that start before the first run() have seen job 0; a thread that the system starts late
  // still finds the job it was counted for.
  uint64_t seen = 0;
  for (;;) {
    const auto ready = [&] { return job_.load() != seen || stop_.load(); };
    if (!wait_briefly(ready)) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, ready);
    }
    if (stop_.load()) return;
    ++seen;
    (*work_)(index);
    running_.fetch_sub(1);
  }
}

void Pool::barrier() {
  if (workers_.empty()) return;
  const uint32_t generation = generation_.load();
  if (arrived_.fetch_add(1) + 1 == size()) {
    arrived_.store(0);
    generation_.fetch_add(1);
    return;
  }
  while (!wait_briefly([&] { return generation_.load() != generation; })) std::this_thread::yield();
}

}  // namespace skein
