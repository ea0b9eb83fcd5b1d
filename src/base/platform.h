// What the machine offers, asked from the operating system.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace skein {

// Logical processors this process may run on (its affinity mask).
int usable_processors();
// Physical cores among them: siblings of one core count once. At least 1.
int physical_cores();
// How many processors' time the control groups of this process grant it, rounded up; 0: no limit.
int granted_processors();
// The largest cache that a processor can reach, which it may share with others; 0 if unknown.
uint64_t last_level_cache_bytes();
// Of the text that the system has for it: "2048K", "4M"; 0 for anything else.
uint64_t bytes_of_cache(std::string_view size);
// "Intel(R) Xeon(R) Processor", or empty.
std::string processor_name();
// What bounds this process's memory most tightly.
struct MemoryLimit {
  uint64_t bytes = 0;          // 0: unknown
  std::string_view what = {};  // "this machine", "control group", "ulimit -v"
  uint64_t swap = 0;           // on top of the machine's, where that is what bounds
};
// Of the machine's memory, the limits of its control groups and those of the process itself.
// `root` stands before /proc and /sys, for tests.
MemoryLimit memory_limit(const std::string& root = "");
// The tightest of what setrlimit() limits this process to, or a limit of UINT64_MAX.
struct AddressSpace {
  uint64_t limit = UINT64_MAX;
  uint64_t used = 0;
  std::string_view what = {};  // "ulimit -v"
  bool counts_files = false;   // whether mapped files take of it too

  uint64_t left() const { return limit - std::min(limit, used); }
};
AddressSpace address_space();
// Bytes of memory that this process may have at most, and how many can be had now; 0 if unknown.
uint64_t memory_total(const std::string& root = "");
uint64_t memory_available(const std::string& root = "");
// Bytes that may still be written to the disk of this open file or folder; nothing if unknown.
std::optional<uint64_t> disk_available(int descriptor);
// Resident set of this process now and at its peak; 0 if unknown.
uint64_t resident_bytes();
uint64_t peak_resident_bytes();
// "always [madvise] never", or empty.
std::string huge_page_setting();
// How much of what is resident of this memory lies on huge pages, 0 to 1; 0 if unknown.
double huge_page_share(std::span<const std::byte> memory);

}  // namespace skein
