// skein ask, of a server that keeps states.
#pragma once

#include <string>

#include "cli/remote.h"
#include "cli/reply_view.h"
#include "cli/sampling_options.h"

namespace skein::cli {

struct RemoteQuestion {
  std::string model;     // empty: the one that it has
  std::string document;  // as document_text() has it
  std::string question;
  int64_t predict = -1;
  bool stats = false;
};

// The exit code.
int ask_remotely(Console& console, Remote& remote, RemoteQuestion asked, ShowThinking thinking,
                 const SamplingOptions& sampling);

}  // namespace skein::cli
