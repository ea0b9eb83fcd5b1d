// Reads a prompt and, where that is wanted, says of each of its tokens how likely it was.
#pragma once

#include <span>
#include <vector>

#include "run/generate.h"
#include "run/task.h"

namespace skein::server {

struct TokenScore {
  double logprob = 0;
  std::vector<TokenProbability> top;  // the likeliest in its place, best first
};

// A task of an engine. Afterwards the session has the logits of what comes next.
class PromptReading final : public Task {
 public:
  // `scored`: scores() has one for each of `ids` but the first, with `top` likeliest tokens.
  PromptReading(Session& session, std::span<const int32_t> ids, bool scored, size_t top);

  const Status& status() const { return status_; }
  std::vector<TokenScore>& scores() { return scores_; }

  Next next(Scratch& scratch) override;
  Reading reading() override;
  Next took(Done done, Scratch& scratch) override;
  void abandon() noexcept override { status_ = no_memory(); }

  // Tokens that are scored together: their logits are what scoring takes of memory.
  static constexpr size_t kRows = 64;

 private:
  Session* session_;
  const std::vector<int32_t> ids_;
  const size_t top_;
  const size_t vocab_;
  std::vector<float> rows_;  // none: not scored
  std::vector<TokenScore> scores_;
  size_t read_ = 0;
  Status status_;
};

}  // namespace skein::server
