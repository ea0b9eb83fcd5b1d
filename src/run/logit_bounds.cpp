#include "run/logit_bounds.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/finite.h"

namespace skein {

LogitBounds::LogitBounds(int32_t vocab, int64_t input, Source source)
    : source_(std::move(source)),
      input_(static_cast<size_t>(input)),
      about_(static_cast<size_t>(vocab)),
      error_(static_cast<size_t>(vocab)),
      is_exact_(static_cast<size_t>((vocab + ops::kLogitGroup - 1) / ops::kLogitGroup)) {
  rest_.reserve(is_exact_.size());
}

ops::RoughLogits LogitBounds::begin() {
  std::fill(is_exact_.begin(), is_exact_.end(), uint8_t{0});
  exact_ = 0;
  return {.input = input_.data(), .about = about_.data(), .error = error_.data()};
}

bool LogitBounds::finite() const { return all_finite(about()) && all_finite(error()); }

Status LogitBounds::make_exact(std::span<const int32_t> groups) {
  if (groups.empty()) return {};
  if (Status status = source_(input_.data(), groups, about_.data()); !status) {
    // Some of the row may have been written.
    std::fill(error_.begin(), error_.end(), std::numeric_limits<float>::infinity());
    std::fill(is_exact_.begin(), is_exact_.end(), uint8_t{0});
    exact_ = 0;
    return status;
  }
  for (const int32_t group : groups) {
    auto& known = is_exact_[static_cast<size_t>(group)];
    SK_CHECK(known == 0);
    known = 1;
    const size_t first = static_cast<size_t>(group) * ops::kLogitGroup;
    const size_t end = std::min(first + ops::kLogitGroup, error_.size());
    std::fill(error_.begin() + static_cast<ptrdiff_t>(first),
              error_.begin() + static_cast<ptrdiff_t>(end), 0.0f);
  }
  exact_ += static_cast<int32_t>(groups.size());
  return {};
}

Status LogitBounds::make_all_exact() {
  rest_.clear();
  for (int32_t group = 0; group < groups(); ++group)
    if (!is_exact(group)) rest_.push_back(group);
  return make_exact(rest_);
}

}  // namespace skein
