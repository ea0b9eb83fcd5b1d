// One sequence in progress: a model, the state it is in, and what it says comes next. Who reads
// tokens into it is an Engine.
#pragma once

#include <cstdint>
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

  explicit Session(std::shared_ptr<Model> model);
  Session(std::shared_ptr<Model> model, State state);

  Model& model() const { return *model_; }
  std::shared_ptr<Model> shared_model() const { return model_; }
  const State& state() const { return state_; }
  // Whoever changes it has to know what it stands for; the logits are forgotten.
  State& change_state();

  // After the last token read, [vocab]; empty when nothing was read since the state was set, or
  // when reading stopped half-way. Of a token that was read roughly the rest of them is computed
  // now, and they are empty where that fails.
  std::span<const float> logits() const;
  // After a token that was read roughly, which leaves it to whoever looks to make logits exact;
  // otherwise null.
  LogitBounds* rough_logits() { return rough_ ? &*bounds_ : nullptr; }

  // Where the logits lie that are known without computing anything, or null.
  const float* known_row() const { return known_ ? logits_.data() : nullptr; }

  // Error: argument, for ids that the model does not have.
  Status check(std::span<const int32_t> ids) const;

  // For whoever reads tokens into it (run/engine.h): where the row of the last one goes, [vocab],
  // which is known from finish_reading() on. A second plane is made the first time that bounds are
  // asked for; errors: Model::logit_bounds()'s, and nothing has changed then.
  std::span<float> begin_reading();
  Result<LogitBounds*> begin_rough_reading();
  void finish_reading() { known_ = true; }
  // A row of somebody else's for the last token read, or the one that begin_reading() gave.
  void keep_logits(std::span<const float> row);
  void finish_rough_reading() { rough_ = true; }

  // Reads all of `ids` at once, handing every value to `sink`. For comparisons; slow.
  Status trace(std::span<const int32_t> ids, const ops::Trace& sink);

  Snapshot snapshot() const;
  void restore(const Snapshot& snapshot);
  // Without logits.
  void restore(const State& state);
  // The same, and `state` becomes what the session's was. Copies nothing.
  void exchange(State& state);

 private:
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
