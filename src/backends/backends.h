// The table of devices a model can run on, and the choice among them.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "ops/backend.h"

namespace skein::backends {

struct Options {
  int threads = 0;    // 0: SKEIN_THREADS, or one for each physical core
  std::string isa{};  // empty: SKEIN_ISA, or the widest this processor supports
};

struct Device {
  const char* name;  // "cpu"
  const char* about;
  Result<std::unique_ptr<ops::Backend>> (*open)(const Options& options);
};

std::span<const Device> devices();

// The device called `name`; empty takes the first of the table. Errors: argument (no such device,
// or options it cannot follow), device.
Result<std::unique_ptr<ops::Backend>> open_device(std::string_view name, const Options& options);

}  // namespace skein::backends
