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

#include "server/job.h"

namespace skein::server {

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
  Model& model() const { return *runtime_.model; }
  const text::Tokenizer& tokenizer() const { return *runtime_.tokenizer; }
  const TokenTraits& traits() const { return runtime_.traits; }
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
  uint64_t prompt_tokens() const { return runtime_.prompt_tokens.load(); }
  uint64_t tokens() const { return runtime_.tokens.load(); }
  uint64_t steps() const { return steps_.load(); }

 private:
  void run();
  bool admit() noexcept;
  bool advance() noexcept;
  void retire() noexcept;
  bool step() noexcept;
  bool fits(const Job& job) const;
  void fail_all();

  const std::string name_;
  const HostOptions options_;
  const int64_t budget_;
  Runtime runtime_;

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

  std::atomic<uint64_t> steps_{0};
  std::thread thread_;
};

}  // namespace skein::server
