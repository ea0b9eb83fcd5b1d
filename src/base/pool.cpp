#include "base/pool.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <new>
#include <string_view>

#include "base/limits.h"
#include "base/platform.h"
#include "base/signals_held.h"
#include "base/turn.h"

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

void* Pool::begin(void* worker) {
  const auto* me = static_cast<const Worker*>(worker);
  me->pool->serve(me->index);
  return nullptr;
}

// Not std::thread: one whose thread stayed in another process can be neither joined nor destroyed.
int Pool::start() {
  const SignalsHeld held;  // they are the caller's, and interrupt its waiting
  for (size_t i = 0; i < workers_.size(); ++i) {
    workers_[i] = {.pool = this, .index = static_cast<int>(i) + 1};
    if (::pthread_create(&workers_[i].thread, nullptr, begin, &workers_[i]) != 0)
      return static_cast<int>(i);
  }
  return static_cast<int>(workers_.size());
}

void Pool::stop(int started) {
  stop_.store(true);
  job_.fetch_add(1);
  job_.notify_all();
  for (int i = 0; i < started; ++i)
    ::pthread_join(workers_[static_cast<size_t>(i)].thread, nullptr);
}

Pool::Pool(int threads) : crowded_(threads > usable_processors()), process_(process_generation()) {
  workers_.resize(static_cast<size_t>(threads > 1 ? threads - 1 : 0));
  // Workers that have started wait for the first job, so that none asks for size() before it is
  // known. The system may have no more threads to give; fewer give the same results.
  workers_.resize(static_cast<size_t>(start()));
  size_ = static_cast<int>(workers_.size()) + 1;
}

Pool::~Pool() {
  if (process_ == process_generation()) stop(size_ - 1);
}

// The words may be as a step in the middle left them, and nobody of those it was for is here.
Status Pool::start_again() {
  for (auto* word : {&job_, &running_, &arrived_, &generation_}) word->store(0);
  stop_.store(false);
  if (const int started = start(); started < size_ - 1) {
    stop(started);
    return fail(Code::memory, "the system gives this process no more than {} of {} threads",
                started + 1, size_);
  }
  process_ = process_generation();
  return {};
}

// Notifying costs a system call only if somebody sleeps.
void Pool::await_change(const std::atomic<uint32_t>& word, uint32_t seen) const {
  for (int i = 0; i < (crowded_ ? 1 : kSpins); ++i) {
    if (word.load() != seen) return;
    relax();
  }
  for (int i = 0; i < (crowded_ ? kCrowdedYields : kYields); ++i) {
    if (word.load() != seen) return;
    ::sched_yield();
  }
  word.wait(seen);
}

Status Pool::run(const std::function<void(int)>& work) {
  if (size_ == 1) {
    work(0);
    return {};
  }
  if (process_ != process_generation()) SK_TRY_STATUS(start_again());
  work_ = &work;
  running_.store(static_cast<uint32_t>(size_ - 1));
  job_.fetch_add(1);
  job_.notify_all();
  work(0);
  for (uint32_t left = running_.load(); left != 0; left = running_.load())
    await_change(running_, left);
  return {};
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
  if (size_ == 1) return;
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
  const std::function<void(int)> job = [&](int index) {
    const Range range = share(count, index, pool.size());
    if (range.begin == range.end) return;
    try {
      done[static_cast<size_t>(index)] = work(range);
    } catch (const std::bad_alloc&) {
      no_memory.store(true);
    }
  };
  SK_TRY_STATUS(pool.run(job));
  if (no_memory.load()) return fail(Code::memory, "not enough memory");
  for (Status& status : done) SK_TRY_STATUS(std::move(status));
  return {};
}

}  // namespace skein
