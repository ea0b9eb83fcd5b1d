#include "base/pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
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
  void leave(int threads);
  Status run(int threads, const std::function<void(int)>& work);
  void barrier();
  // The time of so many threads.
  class Admission {
   public:
    Admission(Crew& crew, int threads) : crew_(crew), threads_(threads) { crew_.admit(threads); }
    ~Admission() { crew_.release(threads_); }
    Admission(const Admission&) = delete;
    Admission& operator=(const Admission&) = delete;

   private:
    Crew& crew_;
    int threads_;
  };

 private:
  // What it is to do: a number that changes with each job that it is of, and before it ends.
  struct alignas(64) Worker {
    Crew* crew = nullptr;
    int index = 0;
    std::atomic<uint32_t> job{0};
    std::atomic<bool> over{false};
    pthread_t thread{};
  };
  // Who waits for his time, on the waiting thread's stack. It lasts about a step, so nobody spins.
  struct Waiter {
    int threads = 1;
    Waiter* next = nullptr;
    bool admitted = false;
    std::condition_variable woken{};
  };
  using Workers = std::deque<Worker>;  // which stay where they are

  Crew();
  static void* begin(void* worker);
  void serve(Worker& me);
  int start(int workers);
  void stop(int workers);
  void await_change(const std::atomic<uint32_t>& word, uint32_t seen) const;

  bool fits(int threads) const {
    return busy_ == 0 || (!(team_ && threads > 1) && busy_ + threads <= processors_);
  }
  void take(int threads) { busy_ += threads, team_ = team_ || threads > 1; }
  void admit(int threads);
  void release(int threads);

  const int processors_;

  std::mutex mutex_;   // of what follows, up to the workers
  int busy_ = 0;       // threads that compute
  bool team_ = false;  // several of them together
  Waiter* first_ = nullptr;
  Waiter* last_ = nullptr;
  std::map<int, int> pools_;  // how many there are of each size

  // Of whoever has the team's time.
  std::unique_ptr<Workers> workers_ = std::make_unique<Workers>();
  uint32_t process_;  // the one that has the threads
  int team_size_ = 0;
  const std::function<void(int)>* work_ = nullptr;
  std::atomic<bool> crowded_{false};  // more threads than processors

  // Each word that threads wait for has a cache line of its own.
  alignas(64) std::atomic<uint32_t> running_{0};
  alignas(64) std::atomic<uint32_t> arrived_{0};
  alignas(64) std::atomic<uint32_t> generation_{0};
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
  // Without memory for the handlers a child may wait for somebody who is not there, as without
  // them.
  static_cast<void>(::pthread_atfork([] { get().mutex_.lock(); }, [] { get().mutex_.unlock(); },
                                     [] {
                                       Crew& crew = get();
                                       crew.busy_ = 0;
                                       crew.team_ = false;
                                       crew.first_ = crew.last_ = nullptr;
                                       crew.mutex_.unlock();
                                     }));
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
  auto& me = *static_cast<Worker*>(worker);
  me.crew->serve(me);
  return nullptr;
}

// Until there are so many workers or the system gives no more; how many there are. Not std::thread:
// one whose thread stayed in another process can be neither joined nor destroyed.
int Crew::start(int workers) {
  if (process_ != process_generation()) {
    // The words may be as a step in the middle left them, and so may the list be: it is left alone.
    auto anew = std::make_unique<Workers>();
    static_cast<void>(workers_.release());
    workers_ = std::move(anew);
    for (auto* word : {&running_, &arrived_, &generation_}) word->store(0);
    process_ = process_generation();
  }
  const SignalsHeld held;  // they are the caller's, and interrupt its waiting
  while (static_cast<int>(workers_->size()) < workers) {
    Worker& worker = workers_->emplace_back();
    worker.crew = this;
    worker.index = static_cast<int>(workers_->size());
    if (::pthread_create(&worker.thread, nullptr, begin, &worker) == 0) continue;
    workers_->pop_back();
    break;
  }
  return static_cast<int>(workers_->size());
}

// Until there are only so many workers.
void Crew::stop(int workers) {
  if (process_ != process_generation()) return;
  while (static_cast<int>(workers_->size()) > workers) {
    Worker& last = workers_->back();
    last.over.store(true);
    last.job.fetch_add(1);
    last.job.notify_one();
    ::pthread_join(last.thread, nullptr);
    workers_->pop_back();
  }
}

int Crew::join(int threads) {
  SK_CHECK(!inside_run);
  const Admission admission(*this, std::max(threads, 1));
  const int got = threads > 1 ? std::min(threads, start(threads - 1) + 1) : 1;
  const std::lock_guard lock(mutex_);
  ++pools_[got];  // last, and in our time: leave() may be about to stop others
  return got;
}

// The crew is as large as the largest pool wants it.
void Crew::leave(int threads) {
  SK_CHECK(!inside_run);
  const auto largest = [&] {
    const std::lock_guard lock(mutex_);
    return pools_.empty() ? 1 : pools_.rbegin()->first;
  };
  {
    const std::lock_guard lock(mutex_);
    const auto at = pools_.find(threads);
    if (--at->second == 0) pools_.erase(at);
  }
  if (threads == 1 || largest() >= threads) return;
  const Admission admission(*this, threads);
  stop(largest() - 1);  // somebody may have come meanwhile
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
  const Admission admission(*this, threads);
  if (const int there = start(threads - 1); there < threads - 1)
    return fail(Code::memory, "the system gives this process no more than {} of {} threads",
                there + 1, threads);
  work_ = &work;
  team_size_ = threads;
  crowded_.store(threads > processors_, std::memory_order_relaxed);
  running_.store(static_cast<uint32_t>(threads - 1));
  for (int i = 0; i < threads - 1; ++i) {
    Worker& worker = (*workers_)[static_cast<size_t>(i)];
    worker.job.fetch_add(1);
    worker.job.notify_one();
  }
  // Whatever happens here, the others still use `work`.
  struct Others {
    Crew& crew;
    ~Others() {
      for (uint32_t left = crew.running_.load(); left != 0; left = crew.running_.load())
        crew.await_change(crew.running_, left);
    }
  } const others{*this};
  work(0);
  return {};
}

void Crew::serve(Worker& me) {
  inside_run = true;
  for (uint32_t seen = 0;; ++seen) {
    await_change(me.job, seen);
    if (me.over.load()) return;
    (*work_)(me.index);
    if (running_.fetch_sub(1) == 1) running_.notify_one();
  }
}

void Crew::barrier() {
  const uint32_t generation = generation_.load();
  if (arrived_.fetch_add(1) + 1 == static_cast<uint32_t>(team_size_)) {
    arrived_.store(0);
    generation_.fetch_add(1);
    generation_.notify_all();
    return;
  }
  await_change(generation_, generation);
}

}  // namespace

Pool::Pool(int threads) : size_(Crew::get().join(threads)) {}
Pool::~Pool() { Crew::get().leave(size_); }

Status Pool::run(const std::function<void(int)>& work) {
  if (size_ > 1) return Crew::get().run(size_, work);
  run_alone(work);
  return {};
}

void Pool::run_alone(const std::function<void(int)>& work) {
  const InsideRun inside;
  const Crew::Admission admission(Crew::get(), 1);
  work(0);
}

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
