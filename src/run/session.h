// One sequence in progress: a model, the state it is in, and what it says comes next.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "run/model.h"

namespace skein {

class Session {
 public:
  // Everything that decides how the sequence goes on.
  struct Snapshot {
    State state;
    std::vector<float> logits;  // empty where they are not known
    size_t bytes() const {
      return static_cast<size_t>(state.bytes()) + logits.size() * sizeof(float);
    }
  };
  // Tokens read so far and in all, between two chunks; false stops there.
  using Progress = std::function<bool(size_t done, size_t total)>;

  explicit Session(std::shared_ptr<Model> model);
  Session(std::shared_ptr<Model> model, State state);

  Model& model() const { return *model_; }
  std::shared_ptr<Model> shared_model() const { return model_; }
  const State& state() const { return state_; }
  // Whoever changes it has to know what it stands for; the logits are forgotten.
  State& change_state();

  // After the last token read, [vocab]; empty when nothing was read since the state was set, or
  // when reading stopped half-way. After feed_rough() the rest of them is computed now, and empty
  // where that fails.
  std::span<const float> logits() const;
  // After feed_rough(), which leaves it to whoever looks to make logits exact; otherwise null.
  LogitBounds* rough_logits() { return rough_ ? &*bounds_ : nullptr; }

  // Reads `ids`, many at a time. How many it read is less than ids.size() only when `progress` said
  // to stop: the state then stands after exactly those. Errors: Model::eval's; argument and
  // mismatch leave the state as it was, after another it stands at the end of a chunk.
  Result<size_t> feed(std::span<const int32_t> ids, const Progress& progress = {});
  // One token, for a loop that allocates nothing.
  Status feed(int32_t id);
  // The same with a two-plane head, which the model must have: logits between bounds. The first
  // time it is prepared, which may fail (Model::logit_bounds()) and then changes nothing.
  Status prepare_rough();
  Status feed_rough(int32_t id);
  // Tokens that were generated one by one, with their exact bits also where prompts are fast.
  Status read_again(std::span<const int32_t> ids);
  // All of `ids` at once, and the logits after each of them from the one at `first` on: `rows` is
  // [ids - first, vocab].
  Status feed_each(std::span<const int32_t> ids, size_t first, std::span<float> rows);
  // The same for all of `ids` at once, handing every value to `sink`.
  Status trace(std::span<const int32_t> ids, const ops::Trace& sink);

  Snapshot snapshot() const;
  void restore(const Snapshot& snapshot);
  // Without logits.
  void restore(const State& state);
  // The same, and `state` becomes what the session's was. Copies nothing.
  void exchange(State& state);

 private:
  Status check(std::span<const int32_t> ids) const;
  void forget_logits() { known_ = rough_ = false; }

  std::shared_ptr<Model> model_;
  State state_;
  std::vector<float> logits_;
  bool known_ = false;  // logits_
  // Of a model with a two-plane head, from the first time on. Whoever asks for logits completes it.
  mutable std::optional<LogitBounds> bounds_;
  bool rough_ = false;  // whether it is the last token's
};

}  // namespace skein
