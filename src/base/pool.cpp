#include "base/pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
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

namespace {

// The threads of the process and the turns of those who need them.
class Crew {
 public:
  static Crew& get() {
    static Crew* const crew = new Crew;  // outlives every pool, also static ones
    return *crew;
  }

  int join(int threads);
  void leave();
  Status run(int threads, const std::function<void(int)>& work);
  void run_alone(const std::function<void(int)>& work);
  void barrier();

 private:
  struct Worker {
    Crew* crew = nullptr;
    int index = 0;
    uint32_t seen = 0;  // the job that was over when it started
    pthread_t thread{};
  };
  // Who waits for a turn, on the waiting thread's stack. It lasts about a step, so nobody spins.
  struct Waiter {
    int threads = 1;
    Waiter* next = nullptr;
    bool admitted = false;
    std::condition_variable woken{};
  };
  // A turn of so many threads.
  class Turn {
   public:
    Turn(Crew& crew, int threads) : crew_(crew), threads_(threads) { crew_.admit(threads); }
    ~Turn() { crew_.release(threads_); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Crew& crew_;
    int threads_;
  };

  Crew();
  static void* begin(void* worker);
  void serve(const Worker& me);
  void start(int workers);
  void stop();
  void await_change(const std::atomic<uint32_t>& word, uint32_t seen) const;

  bool fits(int threads) const {
    return busy_ == 0 || (!(team_ && threads > 1) && busy_ + threads <= processors_);
  }
  void take(int threads) { busy_ += threads, team_ = team_ || threads > 1; }
  void admit(int threads);
  void release(int threads);

  // A job names its team, so that whoever wakes late cannot take one job's size for another's.
  static constexpr int kTeamBits = 11;
  static_assert(limits::kThreads < (1u << kTeamBits));
  static int team_of(uint32_t job) { return static_cast<int>(job & ((1u << kTeamBits) - 1)); }

  const int processors_;

  std::mutex mutex_;   // of what follows, up to the words
  int busy_ = 0;       // threads that compute
  bool team_ = false;  // several of them together
  Waiter* first_ = nullptr;
  Waiter* last_ = nullptr;
  int pools_ = 0;

  // Of whoever has the team's turn.
  std::deque<Worker> workers_;        // which stay where they are
  std::atomic<bool> crowded_{false};  // more threads than processors
  const std::function<void(int)>* work_ = nullptr;
  uint32_t process_;  // the one that has the threads

  // Each word that threads wait for has a cache line of its own.
  alignas(64) std::atomic<uint32_t> job_{0};  // counts runs; a change wakes the workers
  alignas(64) std::atomic<uint32_t> running_{0};
  alignas(64) std::atomic<uint32_t> arrived_{0};
  alignas(64) std::atomic<uint32_t> generation_{0};
  alignas(64) std::atomic<bool> stop_{false};
};

thread_local bool inside_run = false;

struct InsideRun {
  InsideRun() { SK_CHECK(!std::exchange(inside_run, true)); }
  ~InsideRun() { inside_run = false; }
  InsideRun(const InsideRun&) = delete;
  InsideRun& operator=(const InsideRun&) = delete;
};

// fork() finds nobody between two lines of admit() or release(); in the child those who computed or
// waited are not here.
Crew::Crew() : processors_(usable_processors()), process_(process_generation()) {
  ::pthread_atfork([] { get().mutex_.lock(); }, [] { get().mutex_.unlock(); },
                   [] {
                     Crew& crew = get();
                     crew.busy_ = 0;
                     crew.team_ = false;
                     crew.first_ = crew.last_ = nullptr;
                     crew.mutex_.unlock();
                   });
}

void Crew::admit(int threads) {
  std::unique_lock lock(mutex_);
  if (!first_ && fits(threads)) return take(threads);
  Waiter me{.threads = threads};
  (first_ ? last_->next : first_) = &me;
  last_ = &me;
  me.woken.wait(lock, [&] { return me.admitted; });
}

void Crew::release(int threads) {
  const std::lock_guard lock(mutex_);
  busy_ -= threads;
  team_ = team_ && threads == 1;
  while (first_ && fits(first_->threads)) {
    Waiter& next = *first_;
    first_ = next.next;
    take(next.threads);
    next.admitted = true;
    next.woken.notify_one();  // under the lock: afterwards it may be gone
  }
}

void* Crew::begin(void* worker) {
  const auto& me = *static_cast<const Worker*>(worker);
  me.crew->serve(me);
  return nullptr;
}

// Until there are so many workers or the system gives no more. Not std::thread: one whose thread
// stayed in another process can be neither joined nor destroyed.
void Crew::start(int workers) {
  if (process_ != process_generation()) {
    // The words may be as a step in the middle left them, and nobody of those it was for is here.
    for (auto* word : {&job_, &running_, &arrived_, &generation_}) word->store(0);
    stop_.store(false);
    workers_.clear();
    process_ = process_generation();
  }
  const SignalsHeld held;  // they are the caller's, and interrupt its waiting
  while (static_cast<int>(workers_.size()) < workers) {
    Worker& worker = workers_.emplace_back();
    worker = {.crew = this, .index = static_cast<int>(workers_.size()), .seen = job_.load()};
    if (::pthread_create(&worker.thread, nullptr, begin, &worker) == 0) continue;
    workers_.pop_back();
    return;
  }
}

void Crew::stop() {
  if (process_ != process_generation()) return;
  stop_.store(true);
  job_.fetch_add(1u << kTeamBits);
  job_.notify_all();
  for (Worker& worker : workers_) ::pthread_join(worker.thread, nullptr);
  workers_.clear();
  stop_.store(false);
}

int Crew::join(int threads) {
  const Turn turn(*this, std::max(threads, 1));
  if (threads > 1) start(threads - 1);
  const int got = threads > 1 ? std::min(threads, static_cast<int>(workers_.size()) + 1) : 1;
  const std::lock_guard lock(mutex_);
  ++pools_;  // last, and in the turn: leave() may be about to stop the others
  return got;
}

void Crew::leave() {
  {
    const std::lock_guard lock(mutex_);
    if (--pools_ > 0) return;
  }
  const Turn turn(*this, 2);
  {
    // Somebody may have come meanwhile.
    const std::lock_guard lock(mutex_);
    if (pools_ > 0) return;
  }
  stop();
}

// Notifying costs a system call only if somebody sleeps.
void Crew::await_change(const std::atomic<uint32_t>& word, uint32_t seen) const {
  const bool crowded = crowded_.load(std::memory_order_relaxed);
  for (int i = 0; i < (crowded ? 1 : kSpins); ++i) {
    if (word.load() != seen) return;
    relax();
  }
  for (int i = 0; i < (crowded ? kCrowdedYields : kYields); ++i) {
    if (word.load() != seen) return;
    ::sched_yield();
  }
  word.wait(seen);
}

Status Crew::run(int threads, const std::function<void(int)>& work) {
  const InsideRun inside;
  const Turn turn(*this, threads);
  start(threads - 1);
  if (const auto there = static_cast<int>(workers_.size()); there < threads - 1)
    return fail(Code::memory, "the system gives this process no more than {} of {} threads",
                there + 1, threads);
  work_ = &work;
  crowded_.store(threads > processors_, std::memory_order_relaxed);
  running_.store(static_cast<uint32_t>(threads - 1));
  const uint32_t count = (job_.load() >> kTeamBits) + 1;
  job_.store(count << kTeamBits | static_cast<uint32_t>(threads));
  job_.notify_all();
  work(0);
  for (uint32_t left = running_.load(); left != 0; left = running_.load())
    await_change(running_, left);
  return {};
}

void Crew::run_alone(const std::function<void(int)>& work) {
  const InsideRun inside;
  const Turn turn(*this, 1);
  work(0);
}

// A worker that was not of the last teams may find several jobs past; one that is of a team is
// waited for, so that it misses none.
void Crew::serve(const Worker& me) {
  inside_run = true;
  for (uint32_t seen = me.seen;;) {
    await_change(job_, seen);
    if (stop_.load()) return;
    seen = job_.load();
    if (me.index >= team_of(seen)) continue;
    (*work_)(me.index);
    if (running_.fetch_sub(1) == 1) running_.notify_one();
  }
}

void Crew::barrier() {
  const uint32_t generation = generation_.load();
  if (arrived_.fetch_add(1) + 1 == static_cast<uint32_t>(team_of(job_.load()))) {
    arrived_.store(0);
    generation_.fetch_add(1);
    generation_.notify_all();
    return;
  }
  await_change(generation_, generation);
}

}  // namespace

Pool::Pool(int threads) : size_(Crew::get().join(threads)) {}
Pool::~Pool() { Crew::get().leave(); }

Status Pool::run(const std::function<void(int)>& work) {
  if (size_ > 1) return Crew::get().run(size_, work);
  run_alone(work);
  return {};
}

void Pool::run_alone(const std::function<void(int)>& work) { Crew::get().run_alone(work); }

void Pool::barrier() {
  if (size_ > 1) Crew::get().barrier();
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
