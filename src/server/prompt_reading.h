// Reads a prompt and finds out about it what is wanted: how likely each of its tokens was, how
// likely some are that may follow, or a vector that stands for the whole.
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

// What is wanted beside the state.
struct Wanted {
  bool scores = false;               // of each token but the first
  size_t top = 0;                    // with scores: likeliest tokens in the place of each
  std::vector<int32_t> following{};  // ids whose probability behind the prompt is asked for
  bool mean = false;                 // instead of all of these, and then no logits are left

  bool any() const { return scores || mean || !following.empty(); }
};

struct Findings {
  std::vector<TokenScore> scores;  // of each token but the first
  std::vector<double> following;   // natural logarithms, by Wanted::following
  std::vector<float> mean;  // of what the logits behind each token are computed from, [width]
};

// A task of an engine. Afterwards the session has the logits of what comes next, unless a mean was
// wanted.
class PromptReading final : public Task {
 public:
  PromptReading(Session& session, std::span<const int32_t> ids, Wanted wanted);

  const Status& status() const { return status_; }
  Findings& findings() { return findings_; }
  int64_t count() const { return static_cast<int64_t>(read_); }  // tokens read

  Next next(Scratch& scratch) override;
  Reading reading() override;
  Next took(Done done, Scratch& scratch) override;
  void abandon() noexcept override { status_ = no_memory(); }

  // Bytes that reading so many tokens takes beside their sequence.
  static int64_t bytes(const Model& model, size_t tokens, const Wanted& wanted);

 private:
  size_t row_size() const;
  void take_scores(size_t tokens);
  void take_mean(size_t tokens);

  Session* session_;
  const std::vector<int32_t> ids_;
  const Wanted wanted_;
  std::vector<float> rows_;  // of scores or of a mean
  std::vector<double> sums_;
  Findings findings_;
  size_t read_ = 0;
  Status status_;
};

}  // namespace skein::server
