// RWKV-4 "Dove" (arXiv 2305.13048).
#pragma once

#include "arch/architecture.h"

namespace skein::arch {

// Errors: mismatch, unsupported (sizes beyond the limits).
Result<std::unique_ptr<Architecture>> open_rwkv4(const NamedModel& model,
                                                 std::string_view file_name);

}  // namespace skein::arch
