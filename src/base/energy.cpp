#include "base/energy.h"

#include <charconv>
#include <fstream>
#include <optional>

#include "base/file.h"

namespace skein {
namespace {

std::optional<uint64_t> number_in(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  if (!std::getline(in, line)) return std::nullopt;
  uint64_t value = 0;
  const char* const stop = line.data() + line.size();
  const auto [end, error] = std::from_chars(line.data(), stop, value);
  if (error != std::errc() || end != stop) return std::nullopt;
  return value;
}

bool is_package(const std::string& name) {
  constexpr std::string_view kPrefix = "intel-rapl:";
  return name.starts_with(kPrefix) && name.find(':', kPrefix.size()) == std::string::npos;
}

}  // namespace

EnergyMeter::EnergyMeter(const std::filesystem::path& folder) {
  constexpr size_t kMost = 1024;
  const auto names = names_in(folder, kMost);
  if (!names) return;
  for (const std::string& name : *names) {
    if (!is_package(name)) continue;
    const std::string file = (folder / name / "energy_uj").string();
    const auto now = number_in(file);
    const auto range = number_in((folder / name / "max_energy_range_uj").string());
    if (now && range) counters_.push_back({file, *range, *now});
  }
}

double EnergyMeter::joules() {
  double microjoules = 0;
  bool whole = true;
  for (Counter& counter : counters_) {
    const auto now = number_in(counter.file);
    if (!now) {
      whole = false;
      continue;
    }
    const uint64_t used =
        *now >= counter.last ? *now - counter.last : counter.range - counter.last + *now;
    microjoules += static_cast<double>(used);
    counter.last = *now;
  }
  return whole ? microjoules / 1e6 : -1;
}

}  // namespace skein
