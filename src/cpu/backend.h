// The CPU as a backend.
#pragma once

#include <memory>
#include <string>

#include "ops/backend.h"

namespace skein::cpu {

struct Options {
  int threads = 0;    // 0: SKEIN_THREADS, or one for each physical core
  std::string isa{};  // Shares even a step that one thread would finish sooner: tests do not have
                      // to be large.
  bool share_every_step = false;
};

// Errors: argument (SKEIN_ISA, SKEIN_THREADS or the thread count).
Result<std::unique_ptr<ops::Backend>> make_backend(const Options& options);

}  // namespace skein::cpu
