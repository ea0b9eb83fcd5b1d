// Measurements of a model beside the limits of the machine, taken in the same run.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "run/model.h"

namespace skein {

struct BenchmarkOptions {
  int64_t prompt = 512;  // tokens of the prefill
  int64_t decode = 32;   // tokens of each decode sample
  std::vector<int64_t> batches = {2, 4, 8};
  int64_t repeats = 5;
};

// One measured quantity. Figures are medians over the repeats, with the extremes beside them.
struct Sample {
  std::string name;  // "decode", "prefill 512", "decode, 8 sequences"
  double median = 0, low = 0, high = 0;
  const char* unit = "";       // "tok/s", "ms"
  double rate = 0;             // bytes or operations a second at the median
  const char* rate_unit = "";  // "GB/s", "GFLOP/s"
  double share = 0;            // of the limit that bounds it; 0 where there is none to name
  const char* limit = "";      // "read bandwidth", "f32 multiply-adds"
};

struct BenchmarkReport {
  double read_bandwidth = 0;  // bytes a second, a plain read of the packed weights
  double multiply_adds = 0;   // f32 operations a second
  std::vector<Sample> samples;
  uint64_t fingerprint = 0;  // of the logits after the prompt: equal on every machine
};

// `step` is told what is being measured; false gives up (Code::io, "interrupted").
Result<BenchmarkReport> run_benchmark(Model& model, const BenchmarkOptions& options,
                                      const std::function<bool(const std::string&)>& step);

}  // namespace skein
