// What the system says of this process's threads.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace skein::test {

// Threads of this process that run or could run, the caller's not counted.
inline int runnable_threads() {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    if (entry.path().filename() == std::to_string(::gettid())) continue;
    std::ifstream file(entry.path() / "stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    const size_t name_end = text.rfind(')');
    count +=
        name_end != std::string::npos && text.size() > name_end + 2 && text[name_end + 2] == 'R';
  }
  return count;
}

}  // namespace skein::test
