// What the control groups that a process is in (containers, slurm, systemd) let it have.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace skein {

// The tightest of each among the group of this process and all above it, in every hierarchy,
// version 1 or 2. 0 stands for no limit.
struct Granted {
  int processors = 0;      // time of so many, rounded up
  uint64_t memory = 0;     // bytes, beyond which processes are killed
  uint64_t available = 0;  // bytes that can still be had; has_available, as none may be left
  bool has_available = false;
};

// `root` stands before /proc and /sys: tests have trees of their own.
Granted granted_by_groups(const std::string& root = "");

// Of a quota and its period in microseconds; 0 for what limits nothing or makes no sense.
int processors_of_quota(std::string_view quota, std::string_view period);

}  // namespace skein
