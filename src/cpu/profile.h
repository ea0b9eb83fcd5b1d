// Which operation has which thread for how long.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

namespace skein::cpu {

// The time of one step. Threads write to their own parts of it.
class StepClock {
 public:
  StepClock(size_t operations, int threads);

  // The stretch of a thread's time that belongs to an operation; nothing without a clock.
  class Span {
   public:
    Span(StepClock* clock, int thread, size_t operation)
        : clock_(clock), thread_(thread), operation_(operation) {
      if (clock_) begin_ = Clock::now();
    }
    ~Span() {
      if (clock_) clock_->add(thread_, operation_, Clock::now() - begin_);
    }
    Span(const Span&) = delete;
    Span& operator=(const Span&) = delete;

   private:
    using Clock = std::chrono::steady_clock;
    StepClock* clock_;
    int thread_;
    size_t operation_;
    Clock::time_point begin_{};
  };

  bool ran(size_t operation) const;
  // The mean of the threads that ran it.
  double seconds(size_t operation) const;

 private:
  using Duration = std::chrono::steady_clock::duration;
  static constexpr Duration kNever{-1};

  void add(int thread, size_t operation, Duration time) {
    Duration& sum = times_[static_cast<size_t>(thread)][operation];
    sum = sum == kNever ? time : sum + time;  // of the blocks in which it was done
  }

  std::vector<std::vector<Duration>> times_;  // [thread][operation]
};

}  // namespace skein::cpu
