// Orders: what a request wants of a model, and the way of one through its engine. All of a host's
// thread, but for the making of a job.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "run/engine.h"
#include "server/api_error.h"
#include "server/prompt_reading.h"
#include "text/tokenizer.h"

namespace skein::server {

// A prompt, which is read once, and the texts that go on from it.
struct Order {
  std::vector<int32_t> prompt;
  size_t first_choice = 0;
  size_t choices = 1;  // 0: it is only read
  Wanted wanted{};     // to be found out about the prompt
  Sampling sampling;   // choice i draws with choice_seed(seed, i)
  GenerateOptions options;
};

// Each choice draws other numbers, and the first one those of the seed itself.
inline uint64_t choice_seed(uint64_t seed, size_t choice) {
  return seed + choice * 0x9e3779b97f4a7c15;
}

// Hears what becomes of a request's orders: accepted() first, then on the host's thread.
class Reply {
 public:
  virtual ~Reply() = default;
  // It will be served. Short: the queue waits for it.
  virtual void accepted() = 0;
  virtual bool gone() const = 0;
  // Nothing should be told for now.
  virtual bool full() const = 0;
  virtual void read(const Order& order, Findings findings) = 0;
  virtual void told(size_t choice, const Event& event, const Generation& generation) = 0;
  // Instead of what was to come; the last call.
  virtual void failed(const ApiError& error) = 0;
  // Of all orders; the last call.
  virtual void finished() = 0;
};

// A model as its jobs see it.
struct Runtime {
  Runtime(std::shared_ptr<Model> model, text::TokenizerPtr tokenizer, EngineOptions options = {});

  const std::shared_ptr<Model> model;
  const text::TokenizerPtr tokenizer;
  const TokenTraits traits;
  Engine engine;
  // Since the beginning.
  std::atomic<uint64_t> prompt_tokens{0}, tokens{0};
};

// A request: its orders end together.
struct Group {
  std::shared_ptr<Reply> reply;
  size_t left = 0;    // orders that have not ended
  bool over = false;  // failed, or nobody listens
  bool owed = false;  // there was no memory to say that it failed

  void fail(const ApiError& error) noexcept;
  // Says the last word, where it is to be said now. False: there was no memory for it.
  bool settle() noexcept;
};

// Bytes that an order's sequences take while it is active.
int64_t memory_of(const Model& model, const Order& order);

// An order on its way: its prompt is read, then its choices are generated side by side.
class Job {
 public:
  Job(Runtime& runtime, Order order, std::shared_ptr<Group> group);
  ~Job() { drop(); }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  Group& group() { return *group_; }
  int64_t sequences() const { return static_cast<int64_t>(std::max<size_t>(order_.choices, 1)); }
  int64_t bytes() const { return bytes_; }
  uint64_t tokens() const { return order_.prompt.size(); }
  bool is_over() const { return over_; }
  // Nobody takes what it has to tell.
  bool is_stalled() const { return begun_ && !reading_ && group_->reply->full(); }
  bool is_unwanted() const { return group_->over || group_->reply->gone(); }
  // What it got so far, in units of Schedule.
  int64_t units() noexcept;

  // Begins, or goes on after park(). False: there was no memory for that; it is to be tried again.
  bool start() noexcept;
  // Makes room for others: nothing of it is computed, and what it is stays as it is, until start().
  void park() noexcept;

  // Whether anything moved.
  bool advance() noexcept;
  void fail(const Error& error) noexcept;

 private:
  struct Choice {
    std::unique_ptr<Session> session;
    std::shared_ptr<Generation> generation;
    Event event;
    int64_t counted = 0;
  };

  Status begin();
  Status after_reading();
  Status take_events();
  void end(const ApiError& error) noexcept;
  void drop() noexcept;

  Runtime* runtime_;
  const Order order_;
  const std::shared_ptr<Group> group_;
  const int64_t bytes_;
  std::unique_ptr<Session> first_;
  std::shared_ptr<PromptReading> reading_;
  std::vector<Choice> choices_;
  size_t left_ = 0;
  int64_t prompt_read_ = 0, generated_ = 0;  // tokens
  bool begun_ = false;
  bool moved_ = false;
  bool over_ = false;
};

}  // namespace skein::server
