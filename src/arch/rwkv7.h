#pragma once

#include "arch/architecture.h"

namespace skein::arch {

// RWKV-7 "Goose". Errors: mismatch (sizes that contradict each other), unsupported (beyond limits).
Result<std::unique_ptr<Architecture>> open_rwkv7(const NamedTensors& tensors,
                                                 std::string_view file_name);

}  // namespace skein::arch
