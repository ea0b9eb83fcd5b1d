// The processor's own meter of the energy it takes (Intel RAPL, which AMD's kernels offer too).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace skein {

class EnergyMeter {
 public:
  // Finds the packages under `folder`: intel-rapl:0, intel-rapl:1, ... without their parts
  // (intel-rapl:0:0), which they contain. Most systems let only root read them.
  explicit EnergyMeter(const std::filesystem::path& folder = "/sys/class/powercap");

  bool readable() const { return !counters_.empty(); }
  // Since construction or the last call, of all packages together. A counter that began anew at its
  // range is understood once: at 100 W that takes it about 40 minutes. Negative if a counter cannot
  // be read any more.
  double joules();

 private:
  struct Counter {
    std::string file;    // energy_uj
    uint64_t range = 0;  // max_energy_range_uj
    uint64_t last = 0;
  };
  std::vector<Counter> counters_;
};

}  // namespace skein
