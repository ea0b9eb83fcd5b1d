// Judges mutants in child processes, so that a crash, a hang or a leak costs one child and names
// its mutant.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "fuzz/mutate/mutant.h"

namespace skein::mutate {

struct Judged {
  uint64_t number = 0;
  std::string family;
  std::string outcome;                // as Verdict::outcome, or "crash", "hang"
  std::vector<std::string> findings;  // as Verdict::findings
};

struct CrewOptions {
  uint64_t first = 0, count = 0;
  int jobs = 2;
  unsigned seconds = 20;  // for one mutant
  std::filesystem::path work;
};

// Calls `done` for each mutant, in no order. What a dying child said is in the finding.
void judge_all(const Seeds& seeds, const CrewOptions& options,
               const std::function<void(const Judged&)>& done);

}  // namespace skein::mutate
