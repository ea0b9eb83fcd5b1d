#include "ops/expand.h"

#include "ops/operation.h"

namespace skein::ops {

Program expand(const Program& program, const std::function<bool(const Op&)>& keep) {
  Program out = program;
  out.ops.clear();
  for (const Op& op : program.ops) {
    const Operation& row = operation(op);
    if (!row.composite(op) || keep(op))
      out.ops.push_back(op);
    else
      row.expand(out, op);
  }
  return out;
}

}  // namespace skein::ops
