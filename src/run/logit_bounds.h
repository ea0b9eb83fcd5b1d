// A row of logits that are known between bounds, until somebody needs them exactly: what a model
// with a two-plane head gives (ModelOptions::two_plane).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/error.h"
#include "ops/backend.h"

namespace skein {

class LogitBounds {
 public:
  // Computes the exact logits of groups (ops::kLogitGroup neighbours) from the input that the row's
  // step left. Errors are passed on.
  using Source =
      std::function<Status(const float* input, std::span<const int32_t> groups, float* logits)>;

  // `input`: the width of what logits are computed from.
  LogitBounds(int32_t vocab, int64_t input, Source source);

  // Where a step writes a row: all are then between bounds. Allocates nothing.
  ops::RoughLogits begin();

  // [vocab]: |exact - about| <= error; where the error is 0, `about` is exact. Of a row that
  // is not finite the bounds say nothing.
  std::span<const float> about() const { return about_; }
  std::span<const float> error() const { return error_; }

  bool finite() const;

  // For groups in ascending order, none of them twice. Errors: the source's; the row is then not
  // finite() until all of it was made exact.
  Status make_exact(std::span<const int32_t> groups);
  Status make_all_exact();

  int32_t groups() const { return static_cast<int32_t>(is_exact_.size()); }
  int32_t exact_groups() const { return exact_; }
  bool is_exact(int32_t group) const { return is_exact_[static_cast<size_t>(group)] != 0; }
  bool all_exact() const { return exact_ == groups(); }

 private:
  Source source_;
  std::vector<float> input_;
  std::vector<float> about_;
  std::vector<float> error_;
  std::vector<uint8_t> is_exact_;  // by group
  int32_t exact_ = 0;
  std::vector<int32_t> rest_;  // groups, while the rest is made exact
};

}  // namespace skein
