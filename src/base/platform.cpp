#include "base/platform.h"

#include <sched.h>

#include <charconv>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>

namespace skein {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The number after `key` in a file of "key:   123 kB" lines, in bytes.
uint64_t kilobytes_of(const char* path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    std::istringstream rest(line.substr(key.size()));
    uint64_t value = 0;
    rest >> value;
    return value * 1024;
  }
  return 0;
}

}  // namespace

int usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  const int count = CPU_COUNT(&set);
  return count > 0 ? count : 1;
}

int physical_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &set)) continue;
    const std::string siblings = first_line("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                                            "/topology/thread_siblings_list");
    cores.insert(siblings.empty() ? "cpu" + std::to_string(cpu) : siblings);
  }
  return cores.empty() ? 1 : static_cast<int>(cores.size());
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return {};
}

uint64_t memory_total() { return kilobytes_of("/proc/meminfo", "MemTotal:"); }
uint64_t memory_available() { return kilobytes_of("/proc/meminfo", "MemAvailable:"); }
uint64_t resident_bytes() { return kilobytes_of("/proc/self/status", "VmRSS:"); }
uint64_t peak_resident_bytes() { return kilobytes_of("/proc/self/status", "VmHWM:"); }

std::string huge_page_setting() {
  return first_line("/sys/kernel/mm/transparent_hugepage/enabled");
}

}  // namespace skein
