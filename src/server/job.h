// Orders: what a request wants of a model, and the way of one through its engine. All of a host's
// thread, but for the making of a job.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "run/engine.h"
#include "server/api_error.h"
#include "server/prefix_reading.h"
#include "server/prompt_reading.h"
#include "text/tokenizer.h"

namespace skein::server {

// The text that a prompt's tokens were cut from.
struct PromptText {
  text::Prompt prompt;
  bool leads = false;           // the first token stands before it, for the end of a text
  size_t tokens = 0;            // how many of the prompt's are of the text; others may follow
  std::vector<size_t> marks{};  // bytes of it after which a state may be of use
  std::vector<size_t> asked{};  // and after which somebody asked for one
};

// A prompt, which is read once, and the texts that go on from it.
struct Order {
  std::vector<int32_t> prompt;
  std::optional<PromptText> text{};  // until the tokens are settled, see recall()
  size_t first_choice = 0;
  size_t choices = 1;  // 0: it is only read
  Wanted wanted{};     // to be found out about the prompt
  Sampling sampling;   // choice i draws with choice_seed(seed, i)
  GenerateOptions options;
  Start start{};
  // Where others have read what it begins with, it goes on from there, and it leaves states for
  // others. What is scored is read whole.
  bool shared = true;
  std::vector<size_t> marks{};        // tokens of the prompt after which a state may be of use
  size_t certain_mark = 0;            // and one after which it will be
  std::vector<size_t> asked_marks{};  // and those after which somebody asked for one
  bool answer_returns = true;         // later prompts hold what was generated, as it was
  bool wants_state = false;           // the prompt's, see Reply::arrived()
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
  // So many of the prompt's tokens are not read again; before read(), and once more where others
  // have read some of the rest meanwhile.
  virtual void reused(const Order&, size_t /*tokens*/) {}
  // So many of them are read by now, or were before.
  virtual void progressed(const Order&, size_t /*tokens*/) {}
  virtual void read(const Order& order, Findings findings) = 0;
  // Where the order wants it: the state that has read the prompt, after read().
  virtual void arrived(const Order&, StateTree::Kept) {}
  // Whether it wants to see the states that choices are in.
  virtual bool watches() const { return false; }
  // Then, for the length of the call: the one that a choice begins with, and before each event the
  // one that it is in, which has read so many of the choice's tokens.
  virtual void stands(size_t /*choice*/, const State&, int64_t /*tokens*/) {}
  virtual void told(size_t choice, const Event& event, const Generation& generation) = 0;
  // Instead of what was to come; the last call.
  virtual void failed(const ApiError& error) = 0;
  // Of all orders; the last call.
  virtual void finished() = 0;
};

// A model as its jobs see it.
struct Runtime {
  // `kept_bytes`: of states of texts that may come again.
  Runtime(std::shared_ptr<Model> model, text::TokenizerPtr tokenizer, EngineOptions options = {},
          int64_t kept_bytes = 0);

  const std::shared_ptr<Model> model;
  const text::TokenizerPtr tokenizer;
  const TokenTraits traits;
  Engine engine;
  PrefixStates states;
  std::vector<std::shared_ptr<PrefixReading>> readings;  // that others may wait for; of the thread
  // Since the beginning: tokens of prompts that were read, and that were not read again.
  std::atomic<uint64_t> prompt_tokens{0}, cached_tokens{0}, tokens{0};
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

// Takes the tokens of the order's text as somebody read them before, where that is known, and finds
// its marks among them.
void recall(PrefixStates& states, const text::Tokenizer& tokenizer, Order& order);

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
  bool is_stalled() const {
    return begun_ && !reading_ && !scoring_ && !ahead_ && group_->reply->full();
  }
  bool is_unwanted() const { return group_->over || group_->reply->gone(); }
  // What it got so far, in units of Schedule.
  int64_t units() noexcept;

  // Begins, or goes on after park(). False: there was no memory for that; it is to be tried again.
  bool start() noexcept;
  // Makes room for others: nothing of it is computed, and what it is stays as it is, until start().
  // What it has read of its prompt is there for others meanwhile.
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
    std::vector<int32_t> ids;  // that were told, if its state is to be kept
  };

  bool shares() const { return order_.shared && !order_.wanted.any() && runtime_->states.keeps(); }
  Status begin();
  StateTree::Found find_beginning();
  struct Ahead {
    std::shared_ptr<PrefixReading> reading;  // null: nobody
    size_t at = 0;                           // tokens, where the two part
  };
  Ahead who_is_ahead(size_t known) const;
  bool wait_for_another(size_t known);
  bool is_overtaken();
  Status read_from(const StateTree::Found& found);
  Status after_reading();
  Status start_choices();
  Status take_events();
  void keep(Choice& choice) noexcept;
  void stop() noexcept;
  void count_reading() noexcept;
  void cancel() noexcept;
  void take_last(size_t index) noexcept;
  void end(const ApiError& error) noexcept;
  void drop() noexcept;

  Runtime* runtime_;
  const Order order_;
  const std::shared_ptr<Group> group_;
  const int64_t bytes_;
  std::shared_ptr<PrefixReading> ahead_;  // somebody else's, which reads what this begins with
  size_t ahead_at_ = 0;                   // tokens of that
  std::unique_ptr<Session> first_;
  std::shared_ptr<PromptReading> scoring_;  // one of the two
  std::shared_ptr<PrefixReading> reading_;
  std::vector<Choice> choices_;
  size_t left_ = 0;
  int64_t prompt_read_ = 0, generated_ = 0;  // tokens
  size_t told_read_ = 0;                     // what Reply::progressed() was told
  int64_t read_before_ = 0;                  // of the former, by readings that were given up
  size_t reused_ = 0;                        // tokens of the prompt, as it was told
  bool begun_ = false;
  bool moved_ = false;
  bool over_ = false;
};

}  // namespace skein::server
