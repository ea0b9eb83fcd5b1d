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

uint32_t Turn::Count::add(uint32_t generation, int change) {
  Value now = value_.load();
  for (;;) {
    const uint32_t count = now.generation == generation ? now.count : 0;
    const Value then = {generation, count + static_cast<uint32_t>(change)};
    if (value_.compare_exchange_weak(now, then)) return count;
  }
}

// 0 when it is held by a thread that is not in this process.
uint32_t Turn::wait(bool seize) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kPatience = std::chrono::microseconds(200);
  const uint32_t here = process_generation();
  std::optional<Clock::time_point> since;  // it waits
  std::optional<uint32_t> ticket;          // it has waited long
  uint32_t got = 0;
  for (;;) {
    const uint32_t changes = changes_.load();
    uint32_t holder = holder_.load();
    const bool may = ticket ? *ticket == served_.in(here) : !has_impatient(here);
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
    if (!ticket && Clock::now() - *since > kPatience) {
      ticket = tickets_.add(here, +1);
      continue;
    }
    changes_.wait(changes);
  }
  if (since) waiting_.add(here, -1);
  if (ticket) served_.add(here, +1);
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
  // It is somebody's in particular, and who is woken first may be another.
  has_impatient(process_generation()) ? changes_.notify_all() : changes_.notify_one();
}

}  // namespace skein
