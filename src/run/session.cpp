#include "run/session.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"

namespace skein {
namespace {

// The first chunk is short, so that somebody who waits sees something and can stop a slow model;
// the following ones grow until one takes about as long as people find immediate.
constexpr size_t kFirstChunk = 32;
constexpr double kChunkSeconds = 0.1;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Session::Session(std::shared_ptr<Model> model)
    : model_(std::move(model)),
      state_(model_->new_state()),
      logits_(static_cast<size_t>(model_->vocab())) {}

Session::Session(std::shared_ptr<Model> model, State state)
    : model_(std::move(model)),
      state_(std::move(state)),
      logits_(static_cast<size_t>(model_->vocab())) {}

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

Result<size_t> Session::feed(std::span<const int32_t> ids, const Progress& progress) {
  SK_TRY_STATUS(check(ids));
  constexpr auto kLargest = static_cast<size_t>(Model::kDefaultChunk);
  size_t chunk = progress ? kFirstChunk : kLargest;
  size_t done = 0;
  while (done < ids.size()) {
    if (progress && !progress(done, ids.size())) return done;
    size_t count = std::min(chunk, ids.size() - done);
    const bool last = done + count == ids.size();
    // Cut where fast numerics do not notice.
    constexpr auto kBlock = static_cast<size_t>(kFastBlock);
    if (!last) count -= (state_.tokens_read() + count) % kBlock;
    const auto start = std::chrono::steady_clock::now();
    forget_logits();
    SK_TRY_STATUS(model_->eval(state_, ids.subspan(done, count), last ? Want::last : Want::none,
                               last ? logits_.data() : nullptr));
    known_ = last;
    done += count;
    if (seconds_since(start) < kChunkSeconds) chunk = std::min(2 * chunk, kLargest);
  }
  if (progress && !ids.empty()) progress(done, ids.size());
  return done;
}

Status Session::feed(int32_t id) {
  SK_TRY_STATUS(check({&id, 1}));
  forget_logits();
  SK_TRY_STATUS(model_->eval(state_, {&id, 1}, Want::last, logits_.data()));
  known_ = true;
  return {};
}

Status Session::prepare_rough() {
  if (bounds_) return {};
  SK_TRY(LogitBounds bounds, model_->logit_bounds());
  bounds_ = std::move(bounds);
  return {};
}

Status Session::feed_rough(int32_t id) {
  SK_TRY_STATUS(check({&id, 1}));
  SK_TRY_STATUS(prepare_rough());
  forget_logits();
  SK_TRY_STATUS(model_->eval(state_, id, *bounds_));
  rough_ = true;
  return {};
}

Status Session::read_again(std::span<const int32_t> ids) {
  SK_TRY_STATUS(check(ids));
  SK_CHECK(!ids.empty());
  const Job job = {&state_, ids, Want::all, logits_.data(), ids.size() - 1};
  forget_logits();
  SK_TRY_STATUS(model_->eval({&job, 1}));
  known_ = true;
  return {};
}

Status Session::feed_each(std::span<const int32_t> ids, size_t first, std::span<float> rows) {
  SK_TRY_STATUS(check(ids));
  SK_CHECK(first < ids.size() && rows.size() == (ids.size() - first) * logits_.size());
  const Job job = {&state_, ids, Want::all, rows.data(), first};
  forget_logits();
  SK_TRY_STATUS(model_->eval({&job, 1}));
  std::copy(rows.end() - static_cast<int64_t>(logits_.size()), rows.end(), logits_.begin());
  known_ = true;
  return {};
}

Status Session::trace(std::span<const int32_t> ids, const ops::Trace& sink) {
  forget_logits();
  SK_TRY_STATUS(model_->trace(state_, ids, Want::last, logits_.data(), sink));
  known_ = true;
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
