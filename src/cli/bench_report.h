// What skein bench shows: tables, JSON, plots, and the comparison with an earlier JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/console.h"
#include "run/benchmark.h"
#include "run/endurance.h"
#include "run/opening.h"
#include "run/profile.h"

namespace skein::cli {

// What stands above the figures.
struct BenchSubject {
  ModelInfo info;
  MemoryEstimate memory;
  uint64_t peak_resident = 0;  // after loading and, if there was one, the first prompt
};

// An earlier report.
struct OldReport {
  struct Figure {
    std::string name;
    double median = 0;
  };
  std::string file;  // as it was given
  std::string model, device, fingerprint;
  std::vector<Figure> limits, samples;

  // The figure called so, or nothing if there is none above 0.
  static std::optional<double> find(const std::vector<Figure>& figures, std::string_view name);
};
// Error: io, corrupt (no report of skein bench).
Result<OldReport> read_report(const std::string& file);

// What makes the two hard to compare: another model, another device, other logits.
std::vector<std::string> differences(const OldReport& old, const BenchSubject& subject,
                                     uint64_t fingerprint);

void print_benchmark(Console& console, const BenchSubject& subject, const BenchmarkReport& report,
                     const OldReport* old);
void print_profile(Console& console, const BenchSubject& subject, const ProfileReport& report);
void print_endurance(Console& console, const BenchSubject& subject, const Endurance& result);

JsonWriter benchmark_json(const BenchSubject& subject, const BenchmarkReport& report,
                          const OldReport* old);
JsonWriter profile_json(const BenchSubject& subject, const ProfileReport& report);
JsonWriter endurance_json(const BenchSubject& subject, const Endurance& result);

// SVG.
std::string plot(const BenchSubject& subject, const BenchmarkReport& report);
std::string plot(const BenchSubject& subject, const ProfileReport& report);
std::string plot(const BenchSubject& subject, const Endurance& result);

}  // namespace skein::cli
