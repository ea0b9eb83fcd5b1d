// ARWKV, RWKV-7 grown from Qwen2 (arXiv 2501.15570).
#pragma once

#include "arch/architecture.h"

namespace skein::arch {

// Errors: mismatch, unsupported (sizes beyond the limits).
Result<std::unique_ptr<Architecture>> open_arwkv7(const NamedModel& model,
                                                  std::string_view file_name);

}  // namespace skein::arch
