#include "server/prompt_reading.h"

#include <algorithm>
#include <utility>

namespace skein::server {

PromptReading::PromptReading(Session& session, std::span<const int32_t> ids, bool scored,
                             size_t top)
    : session_(&session),
      ids_(ids.begin(), ids.end()),
      top_(top),
      vocab_(static_cast<size_t>(session.model().vocab())),
      rows_(scored ? std::min(kRows, ids.size()) * vocab_ : 0) {
  if (scored) scores_.reserve(ids.size());
}

Task::Next PromptReading::next(Scratch&) {
  return !status_ || read_ == ids_.size() || take_cancel() ? Next::end : Next::reading;
}

Reading PromptReading::reading() {
  const std::span<const int32_t> rest = std::span(ids_).subspan(read_);
  if (rows_.empty()) return {.session = session_, .tokens = rest};
  const auto tokens = rest.first(std::min(kRows, rest.size()));
  return {.session = session_,
          .tokens = tokens,
          .rows = std::span(rows_).first(tokens.size() * vocab_)};
}

Task::Next PromptReading::took(Done done, Scratch& scratch) {
  status_ = std::move(done.status);
  if (!status_) return Next::end;
  const auto row = [&](size_t i) {
    return std::span<const float>(rows_).subspan(i * vocab_, vocab_);
  };
  for (size_t i = 0; i < done.tokens && !rows_.empty(); ++i) {
    const size_t place = read_ + i + 1;  // of the token that these logits are about
    if (place == ids_.size()) break;
    TokenScore& score = scores_.emplace_back();
    score.logprob = token_logprob(row(i), ids_[place], top_, score.top);
  }
  read_ += done.tokens;
  if (read_ == ids_.size())
    session_->keep_logits(rows_.empty() ? done.logits : row(done.tokens - 1));
  return next(scratch);
}

}  // namespace skein::server
