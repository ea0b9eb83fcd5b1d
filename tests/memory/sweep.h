// A program that is run again and again, each time with another of its allocations failing.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace skein::test {

struct SweptRun {
  int code = -1;        // 1000 + signal if one ended it
  int64_t made = 0;     // allocations
  bool failed = false;  // whether one did
  std::string out, err;
};

class SweptProgram {
 public:
  // `words` begin with the program. It runs in `folder`, in an environment of its own.
  SweptProgram(const std::vector<std::string>& words, const std::string& folder,
               const std::string& input, const std::vector<std::string>& environment);
  ~SweptProgram();
  SweptProgram(const SweptProgram&) = delete;
  SweptProgram& operator=(const SweptProgram&) = delete;

  // With the allocation number `place` failing, the first being 1; 0 lets all succeed.
  SweptRun run(int64_t place);

  // After run(0): for each allocation a number that stands for the calls which led to it.
  std::vector<uint64_t> ways() const;

 private:
  pid_t server_ = -1;
  int requests_ = -1, answers_ = -1;
  int in_ = -1, out_ = -1, err_ = -1, ways_ = -1;
};

// Which allocations of `program` to let fail, of those that were led to in these ways: `most` of
// them, half of which are the first and the last ones and the others the first of some ways. With
// SKEIN_TESTS=exhaustive the first and the last of each way that was not tried before by this
// process, with SKEIN_TESTS=everything all.
std::vector<int64_t> places_to_try(const std::string& program, const std::vector<uint64_t>& ways,
                                   size_t most);

}  // namespace skein::test
