// A model that serves: the one thread that steps its engine, and the queue before it. It never
// touches a socket; what comes of an order it tells a Reply, which writes into an Answer.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "run/engine.h"
#include "server/api_error.h"
#include "server/prompt_reading.h"
#include "text/template.h"

namespace skein::server {

// A prompt, which is read once, and the texts that go on from it.
struct Order {
  std::vector<int32_t> prompt;
  size_t first_choice = 0;
  size_t choices = 1;  // 0: it is only read
  bool scored = false;
  size_t top = 0;     // likeliest tokens in the place of each of the prompt's
  Sampling sampling;  // choice i draws with choice_seed(seed, i)
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
  virtual void read(const Order& order, std::vector<TokenScore> scores) = 0;
  virtual void told(size_t choice, const Event& event, const Generation& generation) = 0;
  // Instead of what was to come; the last call.
  virtual void failed(const ApiError& error) = 0;
  // Of all orders; the last call.
  virtual void finished() = 0;
};

struct HostOptions {
  int64_t parallel = 32;  // sequences at once
  int64_t waiting = 256;  // requests that wait; beyond it they are turned away
  int64_t memory = 0;     // bytes of the sequences; 0: half of what is free
};

struct Load {
  int64_t active = 0;   // orders that are read or answered
  int64_t waiting = 0;  // requests
  int64_t sequences = 0;
  int64_t bytes = 0;  // of those
};

class Host {
 public:
  Host(std::string name, std::shared_ptr<Model> model, text::TokenizerPtr tokenizer,
       const HostOptions& options);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  const std::string& name() const { return name_; }
  Model& model() const { return *model_; }
  const text::Tokenizer& tokenizer() const { return *tokenizer_; }
  const TokenTraits& traits() const { return traits_; }
  int64_t budget() const { return budget_; }

  // From any thread. Refused: 429 (too many wait), 400 (one order alone takes more memory than
  // there is for all), 503 (the server ends).
  Asked<void> submit(std::vector<Order> orders, std::shared_ptr<Reply> reply);
  // From any thread: some reply is gone, or not full any more.
  void wake();
  // Ends what is under way with an error, and everything that comes.
  void close();

  Load load() const;
  // Since the beginning.
  uint64_t prompt_tokens() const { return prompt_tokens_.load(); }
  uint64_t tokens() const { return tokens_.load(); }
  uint64_t steps() const { return steps_.load(); }

 private:
  struct Group;
  class Job;

  void run();
  bool admit() noexcept;
  bool advance() noexcept;
  void retire() noexcept;
  bool step() noexcept;
  bool fits(const Job& job) const;
  void fail_all();
  int64_t bytes_of(const Order& order) const;

  const std::string name_;
  const std::shared_ptr<Model> model_;
  const text::TokenizerPtr tokenizer_;
  const TokenTraits traits_;
  const HostOptions options_;
  const int64_t budget_;
  Engine engine_;

  mutable std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Job>> waiting_;
  int64_t waiting_groups_ = 0;
  uint64_t waiting_tokens_ = 0;
  bool woken_ = false;
  bool closing_ = false;
  Load load_;

  // Of the thread.
  std::vector<std::unique_ptr<Job>> active_;
  std::vector<std::unique_ptr<Job>> ended_;  // counted no more; some are to be told of yet
  int64_t sequences_ = 0, bytes_ = 0;
  bool idle_ = true;
  bool short_ = false;  // something is to be tried again, for which there was no memory
  int failed_steps_ = 0;

  std::atomic<uint64_t> prompt_tokens_{0}, tokens_{0}, steps_{0};
  std::thread thread_;
};

}  // namespace skein::server
