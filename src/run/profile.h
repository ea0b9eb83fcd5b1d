// Where the time of a step goes: one decode step and one chunk of a prompt, by kind of operation.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "run/limits.h"
#include "run/model.h"

namespace skein {

struct ProfileOptions {
  int64_t prompt = 512;  // tokens of the chunk
  int64_t repeats = 5;
};

// All operations of a step that do the same for another layer, and for a product of another pair of
// low-rank matrices.
struct ProfileRow {
  std::string operation;  // "linear", "wkv7"
  std::string weight;     // of a linear: "att.key", "head", "low-rank"
  int64_t count = 0;      // in a step
  double seconds = 0;
  ops::Work work;
};

struct StepProfile {
  std::string name;  // "decode", "prefill 512"
  int64_t tokens = 0;
  double seconds = 0;
  double waiting = 0;            // threads' for each other, and of the step for its threads
  ops::Work work;                // all rows'
  std::vector<ProfileRow> rows;  // the longest first
};

struct ProfileReport {
  MachineLimits limits;
  std::vector<StepProfile> steps;
  uint64_t fingerprint = 0;  // of the logits after the prompt, as BenchmarkReport's
};

// Times are means over the middle half of the steps, ordered by their time. `step` is told what is
// being measured; false gives up (Code::io, "interrupted"). Errors: argument; unsupported (a device
// that cannot tell).
Result<ProfileReport> run_profile(Model& model, const ProfileOptions& options,
                                  const std::function<bool(const std::string&)>& step);

}  // namespace skein
