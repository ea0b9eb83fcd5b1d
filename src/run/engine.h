// One model that serves many sequences: each step takes a few tokens of every task that wants some,
// reads them in one pass over the weights, and lets the tasks choose what comes next, side by side
// on the pool's threads.
//
// What a task computes does not depend on the others: not its numbers, not where its prompt is cut
// (docs/numerics.md). So whoever steps an engine for one conversation gets the bits that a hundred
// would.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/pool.h"
#include "base/turn.h"
#include "run/generate.h"
#include "run/task.h"

namespace skein {

struct EngineOptions {
  // How long a step should take at most because of prompts, in seconds: what everybody else waits
  // for his next token, and how soon somebody sees that his prompt is being read. Steps have at
  // most Model::chunk() tokens of prompts however fast they are. (Scores come in pieces of their
  // own.)
  double patience = 0.1;
  // Seconds since any moment; empty: the system's monotonic clock. It decides how much is read in
  // a step and whether guesses are worth it, never what comes out.
  std::function<double()> clock{};
};

class Engine {
 public:
  explicit Engine(std::shared_ptr<Model> model, EngineOptions options = {});
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  Model& model() const { return *model_; }
  const std::shared_ptr<Model>& shared_model() const { return model_; }

  // From any thread. The task's session is of this engine's model, and no other task uses it while
  // this one is active. A task that is here already stays; one that has ended and wants more comes
  // again. Error: argument (another thread was submitting when this process was forked).
  Status submit(std::shared_ptr<Task> task);

  // Takes a task out as it is, waiting for a step that is under way: afterwards its session is its
  // owner's again.
  void forget(const std::shared_ptr<Task>& task) noexcept;

  // One step for everybody; the caller waits for another thread's step that is under way. False:
  // nothing was there to be done but for events that wait to be taken. Error: argument (another
  // thread was in a step when this process was forked), memory (for the step itself, which changed
  // nothing then); what goes wrong with a task is the task's.
  Result<bool> step();

  // Submits the task and steps until it wants nothing any more; others get their share. Not for a
  // task whose events nobody takes meanwhile.
  Status wait(const std::shared_ptr<Task>& task);
  // The generation's next event, stepping everybody as far as it takes. Once it has ended: an event
  // that says so. Error: what ended it (Generation::status()).
  Status next(const std::shared_ptr<Generation>& generation, Event& event);

  // Tokens read so far and in all, between two steps; false stops there.
  using Progress = std::function<bool(size_t done, size_t total)>;
  // wait(), with `progress` told of what `done()` says, and the task cancelled when that is false.
  Status follow(const std::shared_ptr<Task>& task, const std::function<size_t()>& done,
                size_t total, const Progress& progress);
  // Reads `ids` into the session. How many it read is less than ids.size() only when `progress`
  // said to stop: the state then stands after exactly those, and its logits are not known. Errors:
  // Model::eval's; argument and mismatch leave the state as it was, after another it stands where a
  // step ended.
  Result<size_t> read(Session& session, std::span<const int32_t> ids,
                      const Progress& progress = {});

  // Tasks, also those that were submitted and not seen yet. Error: as submit().
  Result<size_t> active() const;

 private:
  struct Entry {
    std::shared_ptr<Task> task;
    Task::Next next = Task::Next::reading;
    // In this step:
    Reading reading{};
    size_t count = 0;  // tokens of it
    Done done{};
  };

  double now() const { return options_.clock ? options_.clock() : steady_seconds(); }
  static double steady_seconds();
  Status welcome();
  void drop_ended() noexcept;
  void take_all();
  void choose_counts();
  bool read_roughly();
  void read_together();
  void evaluate(size_t begin, size_t end);

  std::shared_ptr<Model> model_;
  const EngineOptions options_;
  Pool pool_;
  std::vector<Scratch> scratch_;  // of the pool's threads

  mutable Turn door_;  // of what follows
  std::vector<std::shared_ptr<Task>> submitted_;
  size_t inside_ = 0;  // entries, for active()

  Turn turn_;  // one step at a time; what follows belongs to it
  std::vector<Entry> entries_;
  std::vector<Entry*> stepped_;  // entries that read in this step
  std::vector<Job> jobs_;        // theirs
  std::vector<uint8_t> failed_;
  std::vector<float> rows_;   // logits of a step with several of them
  size_t first_prompt_ = 0;   // whose turn it is to be read first
  double token_seconds_ = 0;  // of a prompt's token; 0: not known
};

// How many of `left` prompt tokens to read in a step that has room for so many, when `read` were
// read before: all, or up to where a block of fast numerics ends, since cuts there change nothing.
// At least 1 of them; more than there is room for where a block needs it.
size_t cut_prompt(uint64_t read, size_t left, size_t room);

}  // namespace skein
