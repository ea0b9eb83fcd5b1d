// A model that serves: a desk for its orders, the one thread that steps its engine, and the door
// to both. It never touches a socket; what comes of an order it tells a Reply, which writes into an
// Answer.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "constrain/words.h"
#include "server/desk.h"
#include "server/form_desk.h"

namespace skein::server {

struct HostOptions {
  int64_t parallel = 32;  // sequences at once
  int64_t waiting = 256;  // requests that wait; beyond it they are turned away
  int64_t memory = 0;     // bytes of the sequences; 0: its share of half of what is free
  // Seconds after which one makes room for others that wait, and that a request may wait.
  double turn_seconds = 2;
  double wait_seconds = 600;
  // Bytes of states of texts that may come again; 0: none are kept, negative: its share of a
  // quarter of what is free.
  int64_t kept = -1;
  int64_t models = 1;  // that have what is free together
  FormDeskOptions forms{};
};

int64_t sequence_bytes(const HostOptions& options);
int64_t kept_bytes(const HostOptions& options);

struct Load {
  int64_t parallel = 0;   // sequences at once
  int64_t active = 0;     // orders that are read or answered, or have made room for others
  int64_t waiting = 0;    // requests
  int64_t sequences = 0;  // of active orders
  int64_t parked = 0;     // of those, that have made room
  int64_t stalled = 0;    // of all, what nobody takes
  int64_t bytes = 0;
  ScheduleCounts counts;
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
  // For constraints. Made when the first one asks, which takes some milliseconds.
  std::shared_ptr<const constrain::Words> words();
  // Where they are made.
  FormDesk& forms() { return forms_; }
  int64_t budget() const { return budget_; }
  PrefixStates& states() { return runtime_.states; }
  const PrefixStates& states() const { return runtime_.states; }

  // Whether submit() would let them in by now: of who is turned away nothing has to be undone.
  Asked<void> admits(const std::vector<Order>& orders, const Source& source);
  // From any thread. Refused: 429 (too many wait, of all or of the same source), 400 (one order
  // alone takes more memory than there is for all), 503 (the server ends). Who is let in is told
  // 503 if his turn does not come in time.
  Asked<void> submit(std::vector<Order> orders, std::shared_ptr<Reply> reply,
                     const Source& source = {});
  // From any thread: some reply is gone, or not full any more.
  void wake();
  // Ends what is under way with an error, and everything that comes.
  void close();
  // And waits until nothing is under way: no reply is told anything afterwards.
  void stop();

  Load load() const;
  // From any thread, and without waiting for anybody: orders that wait, are read or are answered,
  // as they were at the last step; tokens generated a second, lately.
  int64_t orders() const { return orders_.load(std::memory_order_relaxed); }
  double tokens_per_second() const { return rate_.load(std::memory_order_relaxed); }
  // Since the beginning.
  uint64_t prompt_tokens() const { return runtime_.prompt_tokens.load(); }
  uint64_t cached_tokens() const { return runtime_.cached_tokens.load(); }
  uint64_t tokens() const { return runtime_.tokens.load(); }
  uint64_t steps() const { return desk_.steps(); }

 private:
  void run();
  void measure(double now);

  const std::string name_;
  const int64_t budget_;
  Runtime runtime_;
  std::once_flag words_made_;
  std::shared_ptr<const constrain::Words> words_;
  FormDesk forms_;

  mutable std::mutex mutex_;  // of what follows, and of the desk where it says so
  std::condition_variable changed_;
  bool woken_ = false;
  bool closing_ = false;
  Desk desk_;
  std::atomic<int64_t> orders_{0};
  std::atomic<double> rate_{0};
  double measured_at_ = 0;  // of the thread, as the next
  uint64_t measured_tokens_ = 0;

  std::thread thread_;
};

}  // namespace skein::server
