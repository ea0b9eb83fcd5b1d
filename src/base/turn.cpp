#include "base/turn.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

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

// 0 when it is held by a thread that is not in this process.
uint32_t Turn::wait(bool seize) {
  const uint32_t here = process_generation();
  for (;;) {
    uint32_t holder = 0;
    if (holder_.compare_exchange_strong(holder, here)) return here;
    if (holder == here) {
      waiting_.fetch_add(1);
      holder_.wait(here);
      waiting_.fetch_sub(1);
    } else if (!seize) {
      return 0;
    } else if (holder_.compare_exchange_strong(holder, here)) {
      return here;
    }
  }
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
  for (int i = 0; i < kYields && waiting_.load() > 0 && holder_.load() == 0; ++i) ::sched_yield();
  return take(what);
}

// In a child that took it over this finds another holder, and leaves it.
void Turn::give_back(uint32_t generation) {
  if (holder_.compare_exchange_strong(generation, 0)) holder_.notify_one();
}

}  // namespace skein
