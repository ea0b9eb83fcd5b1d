#include "backends/backends.h"

#include "cpu/backend.h"
#include "ops/reference.h"

namespace skein::backends {
namespace {

Result<std::unique_ptr<ops::Backend>> open_cpu(const Options& options) {
  return cpu::make_backend({.threads = options.threads, .isa = options.isa});
}

Result<std::unique_ptr<ops::Backend>> open_reference(const Options&) {
  return ops::reference_backend();
}

constexpr Device kDevices[] = {
    {"cpu", "vector kernels on every core", open_cpu},
    {"reference", "every operation by its definition, slow, for comparison", open_reference},
};

}  // namespace

std::span<const Device> devices() { return kDevices; }

Result<std::unique_ptr<ops::Backend>> open_device(std::string_view name, const Options& options) {
  std::string known;
  for (const Device& device : kDevices) {
    if (name.empty() || name == device.name) return device.open(options);
    known += (known.empty() ? "" : ", ") + std::string(device.name);
  }
  return fail(Code::argument, "no device is called \"{}\"; there are {}", escaped(name), known);
}

}  // namespace skein::backends
