// One conversation with an engine of its own, as most tests want it.
#pragma once

#include <memory>
#include <span>
#include <utility>

#include "run/engine.h"

namespace skein::test {

// A generation and the engine that turns it, until it is gone.
class Solo {
 public:
  Solo(std::shared_ptr<Engine> engine, std::shared_ptr<Generation> generation)
      : engine_(std::move(engine)), generation_(std::move(generation)) {}

  Generation* operator->() const { return generation_.get(); }
  Generation& operator*() const { return *generation_; }
  Finish finish() const { return generation_->finish(); }

  Status next(Event& event) const { return engine_->next(generation_, event); }
  Status interrupt(Event& event) const {
    generation_->interrupt();
    return next(event);
  }
  Result<std::vector<int32_t>> settle() const {
    SK_TRY(std::vector<int32_t> ids, generation_->settle());
    SK_TRY_STATUS(engine_->wait(generation_));
    SK_TRY_STATUS(generation_->settled());
    return ids;
  }

 private:
  std::shared_ptr<Engine> engine_;
  std::shared_ptr<Generation> generation_;
};

inline Result<Solo> start(Session& session, const text::Tokenizer* tokenizer, Sampler sampler,
                          const GenerateOptions& options, std::span<const int32_t> prompt = {}) {
  SK_TRY(auto generation,
         Generation::start(session, prompt, tokenizer, std::move(sampler), options));
  return Solo(std::make_shared<Engine>(session.shared_model()), std::move(generation));
}

inline Result<size_t> feed(Session& session, std::span<const int32_t> ids,
                           const Engine::Progress& progress = {}) {
  return Engine(session.shared_model()).read(session, ids, progress);
}
inline Status feed(Session& session, int32_t id) {
  SK_TRY_STATUS(feed(session, {&id, 1}));
  return {};
}

// What a caller makes of readings by himself: hands out one after the other.
template <typename F>
class Readings final : public Task {
 public:
  explicit Readings(F next) : next_(std::move(next)) {}
  Next next(Scratch&) override { return reading_.tokens.empty() ? Next::end : Next::reading; }
  Reading reading() override { return reading_; }
  Next took(Done done, Scratch&) override {
    reading_ = next_(std::move(done));
    return reading_.tokens.empty() ? Next::end : Next::reading;
  }
  void abandon() noexcept override { reading_ = {}; }
  void begin(const Reading& first) { reading_ = first; }

 private:
  F next_;
  Reading reading_;
};

// Reads `first` and then, as long as that is not empty, what `next(done)` makes of it.
template <typename F>
Status read(Engine& engine, const Reading& first, F next) {
  const auto task = std::make_shared<Readings<F>>(std::move(next));
  task->begin(first);
  return engine.wait(task);
}

// One token whose logits stay between bounds.
inline Status feed_rough(Session& session, int32_t id) {
  Engine engine(session.shared_model());
  Status status;
  const Reading reading = {.session = &session, .tokens = {&id, 1}, .exact = true, .rough = true};
  SK_TRY_STATUS(read(engine, reading, [&](Done done) {
    status = std::move(done.status);
    return Reading();
  }));
  return status;
}

}  // namespace skein::test
