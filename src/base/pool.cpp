#include "base/pool.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <new>
#include <string_view>

#include "base/limits.h"
#include "base/platform.h"

namespace skein {
namespace {

// How long a waiting thread burns its core before it lets go. A barrier inside a step comes within
// microseconds, the next step within a millisecond; beyond that sleeping is cheaper for everybody.
constexpr int kSpins = 1000;  // some 50 us of pause instructions
constexpr int kYields = 500;  // about as long again several times, if nobody else wants the core
constexpr int kCrowdedYields = 2;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");  // waits about as long; to many processors "yield" is nothing
#endif
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
  if (!setting || !*setting) {
    const int cores = physical_cores(), granted = granted_processors();
    return std::min({granted > 0 ? granted : cores, cores, static_cast<int>(limits::kThreads)});
  }
  const std::string_view text(setting);
  int count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size())
    return fail(Code::argument, "SKEIN_THREADS is \"{}\"; it has to be a number from 1 to {}",
                escaped(text), limits::kThreads);
  return bounded(count);
}

Pool::Pool(int threads) : crowded_(threads > usable_processors()) {
  workers_.reserve(static_cast<size_t>(threads > 1 ? threads - 1 : 0));
  // Workers that have started wait for the first job, so that none asks for size() before it is
  // known.
  for (int index = 1; index < threads; ++index) {
    try {
      workers_.emplace_back([this, index] { serve(index); });
    } catch (const std::system_error&) {
      break;  // the system has no more threads to give; fewer give the same results
    }
  }
}

Pool::~Pool() {
  stop_.store(true);
  job_.fetch_add(1);
  job_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

// Notifying costs a system call only if somebody sleeps.
void Pool::await_change(const std::atomic<uint32_t>& word, uint32_t seen) const {
  for (int i = 0; i < (crowded_ ? 1 : kSpins); ++i) {
    if (word.load() != seen) return;
    relax();
  }
  for (int i = 0; i < (crowded_ ? kCrowdedYields : kYields); ++i) {
    if (word.load() != seen) return;
    std::this_thread::yield();
  }
  word.wait(seen);
}

void Pool::run(const std::function<void(int)>& work) {
  if (workers_.empty()) return work(0);
  work_ = &work;
  running_.store(static_cast<uint32_t>(workers_.size()));
  job_.fetch_add(1);
  job_.notify_all();
  work(0);
  for (uint32_t left = running_.load(); left != 0; left = running_.load())
    await_change(running_, left);
}

void Pool::serve(int index) {
  // Threads that start before the first run() have seen job 0; a thread that the system starts late
  // still finds the job it was counted for.
  for (uint32_t seen = 0;; ++seen) {
    await_change(job_, seen);
    if (stop_.load()) return;
    (*work_)(index);
    if (running_.fetch_sub(1) == 1) running_.notify_one();
  }
}

void Pool::barrier() {
  if (workers_.empty()) return;
  const uint32_t generation = generation_.load();
  if (arrived_.fetch_add(1) + 1 == static_cast<uint32_t>(size())) {
    arrived_.store(0);
    generation_.fetch_add(1);
    generation_.notify_all();
    return;
  }
  await_change(generation_, generation);
}

Status run_shares(Pool& pool, int64_t count, const std::function<Status(Range)>& work) {
  std::vector<Status> done(static_cast<size_t>(pool.size()));
  std::atomic<bool> no_memory{false};
  pool.run([&](int index) {
    const Range range = share(count, index, pool.size());
    if (range.begin == range.end) return;
    try {
      done[static_cast<size_t>(index)] = work(range);
    } catch (const std::bad_alloc&) {
      no_memory.store(true);
    }
  });
  if (no_memory.load()) return fail(Code::memory, "not enough memory");
  for (Status& status : done) SK_TRY_STATUS(std::move(status));
  return {};
}

}  // namespace skein
