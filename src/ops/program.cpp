#include "ops/program.h"

#include <algorithm>

#include "base/check.h"

namespace skein::ops {

int64_t fixed_bytes(std::span<const Slot> slots) {
  int64_t end = 0;
  for (const Slot& slot : slots)
    if (slot.growth == Growth::fixed) end = std::max(end, slot.offset + slot.bytes());
  return end;
}

const Op& Program::head() const {
  const auto op =
      std::find_if(ops.rbegin(), ops.rend(), [&](const Op& one) { return one.makes(logits); });
  SK_CHECK(op != ops.rend());
  return *op;
}

}  // namespace skein::ops
