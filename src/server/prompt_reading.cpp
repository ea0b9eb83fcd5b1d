#include "server/prompt_reading.h"

#include <algorithm>
#include <utility>

namespace skein::server {
namespace {

// Tokens that are scored together: their logits are what scoring takes of memory.
constexpr size_t kScored = 64;

// Rows that are looked at together.
size_t rows_of(const Model& model, size_t tokens, const Wanted& wanted) {
  if (wanted.mean) return std::min(static_cast<size_t>(model.chunk()), tokens);
  return wanted.scores ? std::min(kScored, tokens) : 0;
}

size_t width_of(const Model& model) { return static_cast<size_t>(model.info().dimensions.width); }

}  // namespace

int64_t PromptReading::bytes(const Model& model, size_t tokens, const Wanted& wanted) {
  const size_t row = wanted.mean ? width_of(model) : static_cast<size_t>(model.vocab());
  return static_cast<int64_t>(rows_of(model, tokens, wanted) * row * sizeof(float));
}

PromptReading::PromptReading(Session& session, std::span<const int32_t> ids, Wanted wanted)
    : session_(&session),
      ids_(ids.begin(), ids.end()),
      wanted_(std::move(wanted)),
      rows_(rows_of(session.model(), ids.size(), wanted_) * row_size()),
      sums_(wanted_.mean ? row_size() : 0) {
  if (wanted_.scores) findings_.scores.reserve(ids.size());
}

size_t PromptReading::row_size() const {
  return wanted_.mean ? width_of(session_->model())
                      : static_cast<size_t>(session_->model().vocab());
}

Task::Next PromptReading::next(Scratch&) {
  return !status_ || read_ == ids_.size() || take_cancel() ? Next::end : Next::reading;
}

Reading PromptReading::reading() {
  const std::span<const int32_t> rest = std::span(ids_).subspan(read_);
  if (rows_.empty()) return {.session = session_, .tokens = rest};
  const auto tokens = rest.first(std::min(rows_.size() / row_size(), rest.size()));
  const std::span<float> rows = std::span(rows_).first(tokens.size() * row_size());
  if (wanted_.mean) return {.session = session_, .tokens = tokens, .hidden = rows};
  return {.session = session_, .tokens = tokens, .rows = rows};
}

Task::Next PromptReading::took(Done done, Scratch& scratch) {
  status_ = std::move(done.status);
  if (!status_) return Next::end;
  if (wanted_.mean)
    take_mean(done.tokens);
  else if (wanted_.scores)
    take_scores(done.tokens);
  read_ += done.tokens;
  if (read_ == ids_.size() && !wanted_.mean) {
    const auto last = rows_.empty() ? done.logits
                                    : std::span<const float>(rows_).subspan(
                                          (done.tokens - 1) * row_size(), row_size());
    session_->keep_logits(last);
    std::vector<TokenProbability> none;
    for (const int32_t id : wanted_.following)
      findings_.following.push_back(token_logprob(session_->logits(), id, 0, none));
  }
  return next(scratch);
}

void PromptReading::take_scores(size_t tokens) {
  for (size_t i = 0; i < tokens; ++i) {
    const size_t place = read_ + i + 1;  // of the token that these logits are about
    if (place == ids_.size()) break;
    TokenScore& score = findings_.scores.emplace_back();
    const auto row = std::span<const float>(rows_).subspan(i * row_size(), row_size());
    score.logprob = token_logprob(row, ids_[place], wanted_.top, score.top);
  }
}

// Token after token, so that the sums do not depend on where steps cut the prompt.
void PromptReading::take_mean(size_t tokens) {
  const size_t width = row_size();
  for (size_t token = 0; token < tokens; ++token)
    for (size_t i = 0; i < width; ++i) sums_[i] += double{rows_[token * width + i]};
  if (read_ + tokens < ids_.size()) return;
  findings_.mean.resize(width);
  for (size_t i = 0; i < width; ++i)
    findings_.mean[i] = static_cast<float>(sums_[i] / static_cast<double>(ids_.size()));
}

}  // namespace skein::server
