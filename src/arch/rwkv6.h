// RWKV-6 "Finch" (arXiv 2404.05892).
#pragma once

#include "arch/architecture.h"

namespace skein::arch {

// Errors: mismatch, unsupported (sizes beyond the limits).
Result<std::unique_ptr<Architecture>> open_rwkv6(const NamedModel& model,
                                                 std::string_view file_name);

}  // namespace skein::arch
