// complete's text, continued by a server.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/remote.h"
#include "cli/sampling_options.h"
#include "constrain/wanted.h"

namespace skein::cli {

struct RemoteCompletion {
  std::string model;  // empty: the one that it has
  std::string text{};
  std::vector<int32_t> ids{};  // instead of the text
  int64_t predict = 256;
  std::vector<std::string> stop{};
  constrain::Wanted wanted{};  // what the text has to be
  bool ignore_end = false, stats = false;
};

// The exit code.
int complete_remotely(Console& console, Remote& remote, RemoteCompletion asked,
                      const SamplingOptions& sampling);

}  // namespace skein::cli
