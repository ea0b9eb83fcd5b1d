#include "run/score.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "run/sampler_math.h"

namespace skein {
namespace {

// Tokens that are read together: their logits are what this takes of memory.
constexpr size_t kRows = 64;

class Scorer final : public Task {
 public:
  Scorer(Session& session, std::span<const int32_t> ids, std::span<double> logprobs,
         std::span<uint8_t> best)
      : session_(&session),
        ids_(ids.begin(), ids.end()),
        logprobs_(logprobs),
        best_(best),
        rows_(std::min(kRows, ids.size()) * vocab()) {}

  size_t count() const { return read_.load(std::memory_order_relaxed); }
  const Status& status() const { return status_; }

  Next next(Scratch&) override {
    return !status_ || count() == ids_.size() || take_cancel() ? Next::end : Next::reading;
  }
  Reading reading() override {
    const auto tokens = std::span(ids_).subspan(count(), std::min(kRows, ids_.size() - count()));
    return {.session = session_,
            .tokens = tokens,
            .rows = std::span(rows_).first(tokens.size() * vocab())};
  }
  Next took(Done done, Scratch& scratch) override {
    status_ = std::move(done.status);
    if (!status_) return Next::end;
    for (size_t i = 0; i < done.tokens; ++i) tell(count() + i, row(i));
    const size_t read = count() + done.tokens;
    if (read == ids_.size()) session_->keep_logits(row(done.tokens - 1));
    read_.store(read, std::memory_order_relaxed);
    return next(scratch);
  }
  void abandon() noexcept override { status_ = no_memory(); }

 private:
  size_t vocab() const { return static_cast<size_t>(session_->model().vocab()); }
  std::span<const float> row(size_t i) const {
    return std::span(rows_).subspan(i * vocab(), vocab());
  }
  // What stands in the text after token `place`.
  void tell(size_t place, std::span<const float> logits) {
    if (place + 1 == ids_.size()) return;
    const float logit = logits[static_cast<size_t>(ids_[place + 1])];
    logprobs_[place] = static_cast<double>(logit) - log_sum_exp(logits);
    if (!best_.empty()) best_[place] = logit == sampling::extremes_of(logits).largest ? 1 : 0;
  }

  Session* session_;
  const std::vector<int32_t> ids_;
  std::span<double> logprobs_;
  std::span<uint8_t> best_;
  std::vector<float> rows_;
  std::atomic<size_t> read_{0};
  Status status_;
};

}  // namespace

Result<size_t> score(Engine& engine, Session& session, std::span<const int32_t> ids,
                     std::span<double> logprobs, std::span<uint8_t> best,
                     const Engine::Progress& progress) {
  SK_TRY_STATUS(session.check(ids));
  if (ids.empty()) return fail(Code::argument, "no tokens to score");
  SK_CHECK(logprobs.size() + 1 == ids.size() && (best.empty() || best.size() == logprobs.size()));
  const auto scorer = std::make_shared<Scorer>(session, ids, logprobs, best);
  SK_TRY_STATUS(engine.follow(
      scorer, [&] { return scorer->count(); }, ids.size(), progress));
  SK_TRY_STATUS(scorer->status());
  return scorer->count();
}

}  // namespace skein
