#include "base/turn.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <optional>

namespace skein {
namespace {

constinit std::atomic<uint32_t> process{1};

// Before main() and before any thread of ours: what runs in the child must be known by then.
const bool noticed = pthread_atfork(nullptr, nullptr, [] { process.fetch_add(1); }) == 0;

}  // namespace

uint32_t process_generation() {
  // Without memory for the handler, ask the system each time.
  return noticed ? process.load(std::memory_order_relaxed) : static_cast<uint32_t>(::getpid());
}

uint32_t Turn::Count::in(uint32_t generation) const {
  const Value now = value_.load();
  return now.generation == generation ? now.count : 0;
}

void Turn::Count::add(uint32_t generation, int change) {
  Value now = value_.load(), then;
  do {
    const uint32_t count = now.generation == generation ? now.count : 0;
    then = {generation, count + static_cast<uint32_t>(change)};
  } while (!value_.compare_exchange_weak(now, then));
}

// 0 when it is held by a thread that is not in this process.
uint32_t Turn::wait(bool seize) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kPatience = std::chrono::microseconds(200);
  const uint32_t here = process_generation();
  std::optional<Clock::time_point> since;  // it waits
  bool impatient = false;
  uint32_t got = 0;
  for (;;) {
    const uint32_t changes = changes_.load();
    uint32_t holder = holder_.load();
    const bool may = impatient || impatient_.in(here) == 0;
    const bool absent = holder != 0 && holder != here;
    if (absent && !seize) break;
    if ((holder == 0 && may) || absent) {
      if (!holder_.compare_exchange_strong(holder, here)) continue;
      got = here;
      break;
    }
    if (!since) {
      since = Clock::now();
      waiting_.add(here, +1);
      continue;
    }
    if (!impatient && Clock::now() - *since > kPatience) {
      impatient = true;
      impatient_.add(here, +1);
      continue;
    }
    changes_.wait(changes);
  }
  if (since) waiting_.add(here, -1);
  if (impatient) impatient_.add(here, -1);
  if (impatient && got == 0) ring();  // those who let it go first
  return got;
}

Result<Turn::Held> Turn::take(const char* what) {
  if (const uint32_t generation = wait(/*seize=*/false)) return Held(*this, generation);
  return fail(Code::argument,
              "{} was in use by another thread when this process was forked; open it anew here",
              what);
}

// Who is woken takes a while to come, and whoever is here would have it again before that.
Result<Turn::Held> Turn::take_again(Held held, const char* what) {
  constexpr int kYields = 1000;
  held = Held();
  for (int i = 0; i < kYields && waiting_.in(process_generation()) > 0 && holder_.load() == 0; ++i)
    ::sched_yield();
  return take(what);
}

// In a child that took it over this finds another holder, and leaves it.
void Turn::give_back(uint32_t generation) {
  if (holder_.compare_exchange_strong(generation, 0)) ring();
}

void Turn::ring() {
  changes_.fetch_add(1);
  // Those who let the impatient go first wait for no one in particular.
  impatient_.in(process_generation()) > 0 ? changes_.notify_all() : changes_.notify_one();
}

}  // namespace skein
