#include "run/session.h"

#include <utility>

namespace skein {

Session::Session(std::shared_ptr<Model> model)
    : model_(std::move(model)), state_(model_->new_state()) {}

Session::Session(std::shared_ptr<Model> model, State state)
    : model_(std::move(model)), state_(std::move(state)) {}

std::span<const float> Session::logits() const {
  if (known_) return logits_;
  if (!rough_ || (!bounds_->all_exact() && !bounds_->make_all_exact())) return {};
  return bounds_->about();
}

State& Session::change_state() {
  forget_logits();
  return state_;
}

Status Session::check(std::span<const int32_t> ids) const {
  for (const int32_t id : ids)
    if (id < 0 || id >= model_->vocab())
      return fail(Code::argument, "token id {} is out of range: this model has ids 0 to {}", id,
                  model_->vocab() - 1);
  return {};
}

std::span<float> Session::begin_reading() {
  forget_logits();
  logits_.resize(static_cast<size_t>(model_->vocab()));
  return logits_;
}

void Session::keep_logits(std::span<const float> row) {
  if (row.data() != logits_.data()) logits_.assign(row.begin(), row.end());
  rough_ = false;
  known_ = true;
}

Result<LogitBounds*> Session::begin_rough_reading() {
  if (!bounds_) {
    SK_TRY(LogitBounds bounds, model_->logit_bounds());
    bounds_ = std::move(bounds);
  }
  forget_logits();
  return &*bounds_;
}

Status Session::trace(std::span<const int32_t> ids, const ops::Trace& sink) {
  SK_TRY_STATUS(model_->trace(state_, ids, Want::last, begin_reading().data(), sink));
  finish_reading();
  return {};
}

Session::Snapshot Session::snapshot() const {
  const std::span<const float> known = logits();
  return {state_, {known.begin(), known.end()}};
}

void Session::restore(const Snapshot& snapshot) {
  state_ = snapshot.state;
  rough_ = false;
  known_ = !snapshot.logits.empty();
  if (known_) logits_ = snapshot.logits;
}

void Session::restore(const State& state) {
  state_ = state;
  forget_logits();
}

void Session::exchange(State& state) {
  std::swap(state_, state);
  forget_logits();
}

}  // namespace skein
