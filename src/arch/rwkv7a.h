// RWKV-7a, RWKV-7 with DeepEmbed.
#pragma once

#include "arch/architecture.h"

namespace skein::arch {

// Errors: mismatch, unsupported (sizes beyond the limits).
Result<std::unique_ptr<Architecture>> open_rwkv7a(const NamedModel& model,
                                                  std::string_view file_name);

}  // namespace skein::arch
