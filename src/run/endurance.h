// Does a long sequence stay as fast and as small as a short one? The claim that RWKV makes,
// measured.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "run/model.h"

namespace skein {

// A hundredth of the stream.
struct EndurancePoint {
  double median_us = 0;  // time of a token
  double resident = 0;   // bytes, at its end
};

struct Endurance {
  int64_t tokens = 0;
  double second_tenth_us = 0;  // median time of a token
  double last_tenth_us = 0;
  double resident_slope = 0;  // bytes of resident memory a token, least squares after a quarter
  double resident_begin = 0;  // bytes, then and at the end
  double resident_end = 0;
  std::vector<EndurancePoint> course;  // a hundred of them
  uint64_t fingerprint = 0;            // of all logits drawn from
};

// Streams `tokens` tokens of the model's own text. `step` is told how many are done; false gives up
// (Code::io, "interrupted"). Error: argument (fewer than 1000 tokens).
Result<Endurance> run_endurance(std::shared_ptr<Model> model, int64_t tokens,
                                const std::function<bool(int64_t done)>& step);

}  // namespace skein
