// The models of a server, by name: those that are there from the start, and those that are loaded
// when somebody asks for them, and let go of when nobody did for a while or another needs their
// memory. A thread of its own loads, so that nobody else waits for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "server/served.h"

namespace skein::server {

using ServedPtr = std::shared_ptr<const Served>;

// A model that is not there yet.
struct ModelOnDemand {
  std::string name;
  ModelInfo info;     // but for what only loading tells
  int64_t bytes = 0;  // of memory that it will take
  std::function<Result<Served>()> load;
};

struct ShelfOptions {
  double idle_seconds = 0;    // after which one that nobody uses goes; 0: only for another
  int64_t memory = 0;         // bytes of all that are loaded on demand; 0: what is free
  double wait_seconds = 600;  // that somebody waits for one
  size_t waiting = 256;       // of all; beyond it they are turned away
  double retry_seconds = 5;   // after a load that failed
  // Of the process, as it is known; 0: it is not. For tests.
  std::function<int64_t()> free_memory{};
};

// Somebody who waits for a model. `call` is told, on the shelf's thread: the model, or why not.
struct ModelWaiter {
  std::function<void(ServedPtr, const ApiError&)> call;
  std::function<bool()> gone;
  std::chrono::steady_clock::time_point since;  // from when on he waits
};

class ModelShelf {
 public:
  enum class Stands : uint8_t { there, away, coming, failed };
  static std::string_view stands_name(Stands stands);

  explicit ModelShelf(ShelfOptions options);
  ~ModelShelf() { stop(); }
  ModelShelf(const ModelShelf&) = delete;
  ModelShelf& operator=(const ModelShelf&) = delete;

  // Before the first request.
  void add(Served served);
  void add(ModelOnDemand model);
  size_t size() const { return slots_.size(); }

  // ---- From any thread.
  std::optional<size_t> find(std::string_view name) const;
  const std::string& name(size_t model) const { return slots_[model]->name; }
  // The model as long as somebody has it; null: it is not there.
  ServedPtr get(size_t model);
  // Those that are there.
  std::vector<ServedPtr> all() const;
  struct Fact {
    std::string name;
    ModelInfo info;
    int64_t created = 0;
    int64_t bytes = 0;  // 0: it is there for good
    Stands stands = Stands::there;
  };
  std::vector<Fact> facts() const;
  Fact fact(size_t model) const;
  int64_t most_state_bytes() const;
  // Whose states have that fingerprint, as far as it is known: that of one that was never loaded is
  // not.
  std::optional<size_t> find_states(const Digest& fingerprint) const;
  bool knows_states(size_t model) const;

  // How long one that is loaded on demand stays after nobody uses it any more, instead of what the
  // options say: 0: not at all, negative: until another needs its room. Those that are there for
  // good stay. Forgotten when it goes.
  void keep(size_t model, double seconds);
  // When it goes if nobody uses it, in seconds from now; nothing: it does not.
  std::optional<double> goes_in(size_t model) const;

  // He is told when it is there; at once where it is. Error: 429 (too many wait).
  Asked<void> wait_for(size_t model, ModelWaiter waiter);

  // Those who wait are told that the server ends; what is loaded is asked to end.
  void close(const ApiError& why);
  // And waits until nothing is under way.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;
  struct Slot {
    std::string name;
    ModelInfo info;
    int64_t created = 0;
    std::optional<Digest> states{};  // fingerprint
    std::shared_ptr<Served> served{};
    // On demand:
    int64_t bytes = 0;
    std::function<Result<Served>()> load{};
    Stands stands = Stands::there;
    Clock::time_point used{};              // when somebody had it last
    std::optional<double> idle_seconds{};  // see keep()
    Clock::time_point failed_at{};
    ApiError failure{};
    std::list<ModelWaiter> waiting{};
  };

  void run();
  bool in_use(const Slot& slot) const { return slot.served.use_count() > 1; }
  // Under the lock, which is given up while something is loaded or let go of.
  using Lock = std::unique_lock<std::mutex>;
  void drop_waiters(Lock& lock);
  void drop_idle(Lock& lock);
  Slot* next_wanted();
  enum class Room : uint8_t { enough, later, never };
  Room make_room(Lock& lock, const Slot& wanted);
  void let_go(Lock& lock, Slot& slot);
  void load(Lock& lock, Slot& slot);
  void fail(Lock& lock, Slot& slot, ApiError error);
  int64_t free_memory() const;
  int64_t loaded_bytes() const;
  double seconds_to_sleep() const;
  // Of one that nobody uses, until it goes; infinite: for ever.
  double idle_seconds(const Slot& slot) const;

  const ShelfOptions options_;
  std::vector<std::unique_ptr<Slot>> slots_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  size_t waiting_ = 0;
  std::optional<ApiError> closing_;
  std::thread thread_;
};

}  // namespace skein::server
