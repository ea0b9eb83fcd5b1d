// Locks that know of fork(): the child has the parent's memory, but only the thread that forked.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "base/error.h"

namespace skein {

// Another number in every process that fork() makes of this one, never 0. Costs a load.
uint32_t process_generation();

// A mutex whose holder may have stayed behind in another process, and who comes then is told so
// instead of waiting for ever. Whoever comes at the right moment has it, which is fast; but who has
// waited for more than a fifth of a millisecond comes before those who have not, and of several
// such the first one.
class Turn {
 public:
  // Gives the turn back at its end.
  class Held {
   public:
    Held() = default;
    Held(Turn& turn, uint32_t generation) : turn_(&turn), generation_(generation) {}
    Held(Held&& other) noexcept
        : turn_(std::exchange(other.turn_, nullptr)), generation_(other.generation_) {}
    Held& operator=(Held&& other) noexcept {
      std::swap(turn_, other.turn_);
      std::swap(generation_, other.generation_);
      return *this;
    }
    ~Held() {
      if (turn_) turn_->give_back(generation_);
    }

   private:
    Turn* turn_ = nullptr;
    uint32_t generation_ = 0;
  };

  Turn() = default;
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  // Waits for it. Error: argument, for what was in use by another thread when this process was
  // forked and may be half changed: "`what` was in use by another thread ...".
  Result<Held> take(const char* what);
  // Gives `held` back and takes it again, after somebody who waits has had his.
  Result<Held> take_again(Held held, const char* what);
  // For what is never half changed: nobody is waited for who is not here.
  Held take_over() { return Held(*this, wait(/*seize=*/true)); }

 private:
  // Threads of one process: those of another are not here.
  class Count {
   public:
    uint32_t in(uint32_t generation) const;
    // What it was before.
    uint32_t add(uint32_t generation, int change);

   private:
    struct Value {
      uint32_t generation = 0;
      uint32_t count = 0;
    };
    std::atomic<Value> value_{};
  };

  uint32_t wait(bool seize);
  bool has_impatient(uint32_t generation) const {
    return tickets_.in(generation) != served_.in(generation);
  }
  void give_back(uint32_t generation);
  void ring();

  std::atomic<uint32_t> holder_{0};   // the generation of the process that holds it
  std::atomic<uint32_t> changes_{0};  // how often it was given back: what is waited for
  Count waiting_;
  // Who has waited long takes a ticket, and nobody with one leaves before it was served: whoever
  // finds the holder in another process finds it so at once, since this process has no other way
  // to such a holder than to begin with it.
  Count tickets_, served_;
};

}  // namespace skein
