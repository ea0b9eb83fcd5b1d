// Measurements of a model beside the limits of the machine, taken in the same run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "run/limits.h"
#include "run/model.h"

namespace skein {

struct BenchmarkOptions {
  int64_t prompt = 512;  // tokens of the prefill
  int64_t decode = 32;   // tokens of each decode sample; fewer where many sequences share a step
  std::vector<int64_t> batches = {1, 2, 4, 8, 16, 32, 64};
  std::vector<int64_t> chunks;  // also the prompt in chunks of so many tokens
  int64_t repeats = 5;
  std::filesystem::path energy = "/sys/class/powercap";
};

// One measured quantity. Figures are medians over the repeats, with the extremes beside them.
struct Sample {
  std::string name;         // "decode", "prefill 512", "decode, 8 sequences"
  std::string_view kind{};  // "prefill", "chunk", "decode", "generate", "state", "load"
  int64_t size = 0;         // tokens of the prompt or chunk, sequences, bytes
  double median = 0, low = 0, high = 0;
  std::string_view unit{};      // "tok/s", "ms"
  double bytes = 0, flops = 0;  // behind a token, or behind the whole of a time
  std::string_view limit{};     // the key of what bounds these (run/limits.h)
  double rate = 0;              // of what it counts, a second, at the median
  double share = 0;             // of that limit; 0 if it is unknown
  bool in_cache = false;        // what it moves stays in a cache: no limit of the memory is its own
  double joules = 0;            // a token; 0 where nobody can tell

  bool more_is_better() const { return unit == "tok/s"; }
};

struct BenchmarkReport {
  MachineLimits limits;
  std::vector<Sample> samples;
  uint64_t fingerprint = 0;    // of the logits after the prompt: equal on every machine
  uint64_t peak_resident = 0;  // bytes of the process, after loading, a prompt and a token
  std::vector<std::string> notes;
};

// Told what is being measured; false gives up (Code::io, "interrupted").
using BenchmarkStep = std::function<bool(const std::string&)>;

Result<BenchmarkReport> run_benchmark(const std::shared_ptr<Model>& model,
                                      const BenchmarkOptions& options, const BenchmarkStep& step);

// From a file, which is in the page cache if it was read just now, to the first token. To be called
// when no other copy of the model is loaded. Errors: those of Model::open.
Result<Sample> benchmark_load(const std::filesystem::path& path, const ModelOptions& options,
                              int64_t repeats, const MachineLimits& limits,
                              const BenchmarkStep& step);

}  // namespace skein
