#include "base/platform.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>

#include "base/control_group.h"

namespace skein {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The number after `key` in a file of "key:   123 kB" lines, in bytes.
uint64_t kilobytes_of(const std::string& path, std::string_view key) {
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

int granted_processors() { return granted_by_groups().processors; }

uint64_t bytes_of_cache(std::string_view size) {
  uint64_t number = 0;
  const char* const end = size.data() + size.size();
  const auto [unit, error] = std::from_chars(size.data(), end, number);
  if (error != std::errc() || unit + 1 != end || number >> 40 != 0) return 0;
  return *unit == 'K' ? number << 10 : *unit == 'M' ? number << 20 : 0;
}

uint64_t last_level_cache_bytes() {
  uint64_t largest = 0;
  for (int index = 0;; ++index) {
    const std::string size =
        first_line("/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/size");
    if (size.empty()) return largest;
    largest = std::max(largest, bytes_of_cache(size));
  }
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

namespace {

// A limit that setrlimit() sets (ulimit in a shell), and what of it is used up.
struct OwnLimit {
  int resource;
  std::string_view used;  // in /proc/self/status
  std::string_view name;
};
constexpr OwnLimit kOwnLimits[] = {{RLIMIT_AS, "VmSize:", "ulimit -v"},
                                   {RLIMIT_DATA, "VmData:", "ulimit -d"}};

uint64_t bytes_of(const OwnLimit& limit) {
  rlimit now{};
  const bool known = ::getrlimit(static_cast<__rlimit_resource>(limit.resource), &now) == 0;
  return known && now.rlim_cur != RLIM_INFINITY ? now.rlim_cur : UINT64_MAX;
}

}  // namespace

MemoryLimit memory_limit(const std::string& root) {
  const std::string about = root + "/proc/meminfo";
  MemoryLimit out = {kilobytes_of(about, "MemTotal:"), "this machine",
                     kilobytes_of(about, "SwapTotal:")};
  const auto tighten = [&](uint64_t bytes, std::string_view what) {
    if (out.bytes == 0 || bytes < out.bytes) out = {bytes, what, 0};
  };
  if (const uint64_t granted = granted_by_groups(root).memory) tighten(granted, "control group");
  for (const OwnLimit& limit : kOwnLimits)
    if (const uint64_t bytes = bytes_of(limit); bytes != UINT64_MAX) tighten(bytes, limit.name);
  return out;
}

AddressSpace address_space() {
  AddressSpace out;
  for (const OwnLimit& own : kOwnLimits) {
    const uint64_t bytes = bytes_of(own);
    if (bytes == UINT64_MAX) continue;
    const AddressSpace here = {.limit = bytes,
                               .used = kilobytes_of("/proc/self/status", own.used),
                               .what = own.name,
                               .counts_files = own.resource == RLIMIT_AS};
    if (here.left() < out.left()) out = here;
  }
  return out;
}

uint64_t memory_total(const std::string& root) { return memory_limit(root).bytes; }

uint64_t memory_available(const std::string& root) {
  const uint64_t machine = kilobytes_of(root + "/proc/meminfo", "MemAvailable:");
  uint64_t least = machine > 0 ? machine : UINT64_MAX;
  if (const Granted granted = granted_by_groups(root); granted.has_available)
    least = std::min(least, granted.available);
  least = std::min(least, address_space().left());
  // 0 would say that it is not known.
  return least == UINT64_MAX ? 0 : std::max<uint64_t>(least, 1);
}

std::optional<uint64_t> disk_available(int descriptor) {
  struct statvfs disk {};
  if (::fstatvfs(descriptor, &disk) != 0 || disk.f_blocks == 0) return std::nullopt;
  return uint64_t{disk.f_bavail} * disk.f_frsize;
}

uint64_t resident_bytes() { return kilobytes_of("/proc/self/status", "VmRSS:"); }
uint64_t peak_resident_bytes() { return kilobytes_of("/proc/self/status", "VmHWM:"); }

double huge_page_share(std::span<const std::byte> memory) {
  const auto begin = reinterpret_cast<uintptr_t>(memory.data());
  const uintptr_t end = begin + memory.size();
  std::ifstream file("/proc/self/smaps");
  uint64_t resident = 0, huge = 0;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    uintptr_t first = 0, last = 0;
    const char* const stop = line.data() + line.size();
    const auto [dash, wrong] = std::from_chars(line.data(), stop, first, 16);
    // "7f0000000000-7f0000200000 rw-p ..." begins a mapping; its facts follow as "Rss:    4 kB".
    if (wrong == std::errc() && dash != stop && *dash == '-') {
      std::from_chars(dash + 1, stop, last, 16);
      inside = first < end && begin < last;
      continue;
    }
    if (!inside) continue;
    const auto fact = [&](std::string_view key, uint64_t& sum) {
      if (!line.starts_with(key)) return;
      const size_t digit = line.find_first_of("0123456789");
      uint64_t kilobytes = 0;
      if (digit != std::string::npos) std::from_chars(line.data() + digit, stop, kilobytes);
      sum += kilobytes;
    };
    fact("Rss:", resident);
    fact("AnonHugePages:", huge);
    fact("FilePmdMapped:", huge);
  }
  return resident > 0 ? static_cast<double>(huge) / static_cast<double>(resident) : 0;
}

std::string huge_page_setting() {
  return first_line("/sys/kernel/mm/transparent_hugepage/enabled");
}

}  // namespace skein
