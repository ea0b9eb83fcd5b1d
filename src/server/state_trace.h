// How much each token moves a state: by layer, or by head of each layer.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "run/state.h"
#include "server/routes/state_math.h"

namespace skein::server {

enum class TraceBy : uint8_t { layer, head };

struct TraceWish {
  TraceBy by = TraceBy::layer;
  int64_t every = 1;  // tokens
};
// Of heads less often, since there are many.
inline constexpr int64_t kHeadTraceEvery = 8;

// By how much of what it was each layer's matrices have changed, or each head's.
std::vector<float> changes_between(const HeadShape& shape, const State& now,
                                   const std::vector<std::vector<float>>& before, TraceBy by);

// Compares a state with what it was when it was looked at last. As long as it lives it has a copy
// of the matrices.
class StateTrace {
 public:
  StateTrace(const HeadShape& shape, const TraceWish& wish) : shape_(shape), wish_(wish) {}

  // The state has read so many tokens of what is traced. What changed since the last time
  // something was given, if enough of them have been read since.
  std::optional<std::vector<float>> look(const State& state, int64_t tokens);

 private:
  void keep(const State& state, int64_t tokens);

  const HeadShape shape_;
  const TraceWish wish_;
  std::vector<std::vector<float>> before_;  // the matrices, by layer
  int64_t tokens_ = 0;                      // that were read then
};

// For the wire: layers as little-endian float16, heads as bytes on a scale of logarithms, of which
// b > 0 means 2^(b / 16 - 14), and 0 less than that.
std::string trace_bytes(std::span<const float> changes, TraceBy by);

}  // namespace skein::server
