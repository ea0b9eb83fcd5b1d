#include "ops/program.h"

#include <algorithm>

namespace skein::ops {

const char* op_name(OpKind kind) {
  switch (kind) {
    case OpKind::rows: return "rows";
    case OpKind::pick: return "pick";
    case OpKind::linear: return "linear";
    case OpKind::layer_norm: return "layer_norm";
    case OpKind::rms_norm: return "rms_norm";
    case OpKind::group_norm: return "group_norm";
    case OpKind::l2norm_heads: return "l2norm_heads";
    case OpKind::shift: return "shift";
    case OpKind::lerp: return "lerp";
    case OpKind::add: return "add";
    case OpKind::sub: return "sub";
    case OpKind::mul: return "mul";
    case OpKind::unary: return "unary";
    case OpKind::repeat_heads: return "repeat_heads";
    case OpKind::token_matmul: return "token_matmul";
    case OpKind::wkv4: return "wkv4";
    case OpKind::wkv6: return "wkv6";
    case OpKind::wkv7: return "wkv7";
    case OpKind::bonus: return "bonus";
  }
  return "unknown";
}

int64_t fixed_bytes(std::span<const Slot> slots) {
  int64_t end = 0;
  for (const Slot& slot : slots)
    if (slot.growth == Growth::fixed) end = std::max(end, slot.offset + slot.bytes());
  return end;
}

}  // namespace skein::ops
