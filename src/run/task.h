// What an Engine turns: something that wants tokens read, learns what came of it, and wants more.
// A task calls no model and looks at no clock, so that any number of them share each pass over the
// weights.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "run/sampler.h"
#include "run/session.h"

namespace skein {

// Tokens that a session is to read next. They and `rows` stay where they are until it is done.
struct Reading {
  Session* session = nullptr;
  std::span<const int32_t> tokens;
  // Where the logits after each token from `first` on go, [tokens - first, vocab]. Without it there
  // are those after the last token, and many tokens may be read in several steps.
  std::span<float> rows{};
  size_t first = 0;
  // Where what the logits after each token would be computed from goes instead, [tokens, width]
  // (Model::eval_hidden()). Many tokens may be read in several steps, each filling its tokens'
  // rows. Exact, also where prompts are fast.
  std::span<float> hidden{};
  // As tokens that are read one by one, with their exact bits also where prompts are fast, and in
  // one step. Implied by `rows`.
  bool exact = false;
  // One token whose logits may stay between bounds, where the model has a two-plane head.
  bool rough = false;
};

// How a reading went.
struct Done {
  // Where it failed, Model::eval() says what the state is.
  Status status;
  size_t tokens = 0;  // how many were read: fewer than were wanted where they had no room in a step
  // After the last of them, [vocab], if all were read and neither rows nor `hidden` were wanted.
  // Overwritten by the next step, unless it is the session's own row (Session::keep_logits()).
  std::span<const float> logits{};
  bool rough = false;  // the logits are bounds instead: Session::rough_logits()
  // Of the pass, if nothing but this was read in it.
  std::optional<double> seconds{};
};

// What a task computes with. It belongs to a thread and outlives no call.
struct Scratch {
  SamplerWork sampling;
  std::vector<float> probabilities;
  std::vector<uint64_t> allowed;  // bits of a mask and of ends
  // How many tokens more a task may have read on a guess: in company each costs what it computes.
  size_t guesses = 0;
};

class Task {
 public:
  enum class Next : uint8_t {
    reading,  // wants what reading() says
    event,    // has something new to tell, and goes on when it was taken
    waiting,  // for that
    end,      // wants nothing any more; what it still has to tell is the last
  };

  virtual ~Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  // Goes on as far as it can with what it knows.
  virtual Next next(Scratch& scratch) = 0;
  // After Next::reading, the same until took().
  virtual Reading reading() = 0;
  // It was read. Not called from inside a pool's work where the logits are bounds, because making
  // them exact is the device's work.
  virtual Next took(Done done, Scratch& scratch) = 0;
  // One of the calls above ran out of memory: it has ended.
  virtual void abandon() noexcept = 0;
  // After a step that read and took nothing but this task's: how long that was in all.
  virtual void spent(double /*seconds*/) {}

  // From any thread: ends as soon as it can, within a step.
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  // From any thread: nobody wants anything of it any more, not even to be told of its end. Its
  // engine lets go of it as it is.
  void leave() { left_.store(true, std::memory_order_relaxed); }
  bool left() const { return left_.load(std::memory_order_relaxed); }
  // Whether an engine has it.
  bool active() const { return active_.load(std::memory_order_acquire) != 0; }

 protected:
  Task() = default;
  // Whether cancel() was called since this was asked last.
  bool take_cancel() {
    return cancelled_.load(std::memory_order_relaxed) && cancelled_.exchange(false);
  }

 private:
  friend class Engine;
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> left_{false};
  std::atomic<int> active_{0};  // how often it was submitted and not yet let go of
};

}  // namespace skein
