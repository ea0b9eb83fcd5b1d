// QRWKV6, RWKV-6 grown from Qwen2.
#pragma once

#include "arch/architecture.h"

namespace skein::arch {

// Errors: mismatch, unsupported (sizes beyond the limits).
Result<std::unique_ptr<Architecture>> open_qrwkv6(const NamedModel& model,
                                                  std::string_view file_name);

}  // namespace skein::arch
