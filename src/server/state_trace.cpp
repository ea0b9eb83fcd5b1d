#include "server/state_trace.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace skein::server {
namespace {

// The engine waits for this, so the sums are such as a compiler can make side by side.
constexpr size_t kLanes = 16;

struct Sums {
  double apart = 0, size = 0;
};

Sums sums_of(std::span<const float> now, std::span<const float> before) {
  std::array<float, kLanes> apart{}, size{};
  size_t at = 0;
  for (; at + kLanes <= now.size(); at += kLanes)
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const float old = before[at + lane], step = now[at + lane] - old;
      apart[lane] += step * step;
      size[lane] += old * old;
    }
  Sums out;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    out.apart += double{apart[lane]};
    out.size += double{size[lane]};
  }
  for (; at < now.size(); ++at) {
    const double step = double{now[at]} - double{before[at]};
    out.apart += step * step;
    out.size += double{before[at]} * double{before[at]};
  }
  return out;
}

float share_of(const Sums& sums) {
  if (sums.size > 0) return static_cast<float>(std::sqrt(sums.apart / sums.size));
  return sums.apart > 0 ? 1.0f : 0.0f;
}

}  // namespace

std::vector<float> changes_between(const HeadShape& shape, const State& now,
                                   const std::vector<std::vector<float>>& before, TraceBy by) {
  const size_t each = shape.rows * shape.columns;
  std::vector<float> out;
  for (size_t layer = 0; layer < shape.parts.size(); ++layer) {
    const auto part = now.part(shape.parts[layer]);
    if (!part) return {};
    Sums all;
    for (size_t head = 0; head < shape.heads; ++head) {
      const Sums sums = sums_of(part->floats().subspan(head * each, each),
                                std::span(before[layer]).subspan(head * each, each));
      if (by == TraceBy::head) out.push_back(share_of(sums));
      all.apart += sums.apart;
      all.size += sums.size;
    }
    if (by == TraceBy::layer) out.push_back(share_of(all));
  }
  return out;
}

void StateTrace::keep(const State& state, int64_t tokens) {
  tokens_ = tokens;
  before_.resize(shape_.parts.size());
  for (size_t layer = 0; layer < shape_.parts.size(); ++layer) {
    const auto part = state.part(shape_.parts[layer]);
    if (!part) return before_.clear();
    before_[layer].assign(part->floats().begin(), part->floats().end());
  }
}

std::optional<std::vector<float>> StateTrace::look(const State& state, int64_t tokens) {
  if (before_.empty()) {
    keep(state, tokens);
    return std::nullopt;
  }
  if (tokens - tokens_ < wish_.every) return std::nullopt;
  auto out = changes_between(shape_, state, before_, wish_.by);
  keep(state, tokens);
  if (out.empty()) return std::nullopt;
  return out;
}

std::string trace_bytes(std::span<const float> changes, TraceBy by) {
  if (by == TraceBy::layer) return half_floats(changes);
  std::string out;
  for (const float change : changes) {
    const double step = change > 0 ? std::round(16 * (std::log2(double{change}) + 14)) : 0;
    out += static_cast<char>(static_cast<unsigned char>(std::clamp(step, 0.0, 255.0)));
  }
  return out;
}

}  // namespace skein::server
