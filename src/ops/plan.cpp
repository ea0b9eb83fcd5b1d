#include "ops/plan.h"

#include <algorithm>

namespace skein::ops {
namespace {

struct Free {
  int64_t offset;
  int64_t size;
};

// First fit among the free stretches; otherwise at the end.
int64_t take(std::vector<Free>& free, int64_t& end, int64_t size) {
  for (size_t i = 0; i < free.size(); ++i) {
    if (free[i].size < size) continue;
    const int64_t offset = free[i].offset;
    free[i].offset += size;
    free[i].size -= size;
    if (free[i].size == 0) free.erase(free.begin() + static_cast<std::ptrdiff_t>(i));
    return offset;
  }
  const int64_t offset = end;
  end += size;
  return offset;
}

void give_back(std::vector<Free>& free, Free part) {
  auto at = std::lower_bound(free.begin(), free.end(), part,
                             [](const Free& a, const Free& b) { return a.offset < b.offset; });
  at = free.insert(at, part);
  if (const auto next = at + 1; next != free.end() && at->offset + at->size == next->offset) {
    at->size += next->size;
    free.erase(next);
  }
  if (at != free.begin()) {
    const auto before = at - 1;
    if (before->offset + before->size == at->offset) {
      before->size += at->size;
      free.erase(at);
    }
  }
}

}  // namespace

Plan make_plan(const Program& program) {
  constexpr int64_t kVector = 16;  // floats: keeps every row of every value aligned to 64 bytes
  const size_t values = program.values.size();
  std::vector<size_t> last_use(values, 0);
  for (size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    last_use[static_cast<size_t>(op.out)] = i;
    for (const ValueId in : op.in)
      if (in != kNone) last_use[static_cast<size_t>(in)] = i;
  }

  std::vector<std::vector<size_t>> dying(program.ops.size());
  for (size_t v = 0; v < values; ++v) dying[last_use[v]].push_back(v);

  Plan plan;
  plan.offset.assign(values, kNone);
  plan.size.assign(values, 0);
  std::vector<Free> free;
  for (size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    if (op.out != program.logits) {
      const auto out = static_cast<size_t>(op.out);
      plan.size[out] = (program.values[out].width + kVector - 1) / kVector * kVector;
      plan.offset[out] = take(free, plan.floats_per_token, plan.size[out]);
    }
    // Inputs die after the output was placed: no operation works in place.
    for (const size_t v : dying[i])
      if (plan.offset[v] != kNone) give_back(free, {plan.offset[v], plan.size[v]});
  }
  return plan;
}

}  // namespace skein::ops
