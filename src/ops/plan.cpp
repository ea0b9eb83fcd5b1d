#include "ops/plan.h"

#include <algorithm>

namespace skein::ops {
namespace {

constexpr int64_t kVector = 16;  // floats: keeps every row of every value aligned to 64 bytes

struct Free {
  int64_t offset;
  int64_t size;
};

class Space {
 public:
  int64_t end() const { return end_; }

  // First fit among the free stretches; otherwise at the end.
  int64_t take(int64_t size) {
    for (size_t i = 0; i < free_.size(); ++i) {
      if (free_[i].size < size) continue;
      const int64_t offset = free_[i].offset;
      free_[i].offset += size;
      free_[i].size -= size;
      if (free_[i].size == 0) free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(i));
      return offset;
    }
    const int64_t offset = end_;
    end_ += size;
    return offset;
  }

  void give_back(Free part) {
    auto at = std::lower_bound(free_.begin(), free_.end(), part,
                               [](const Free& a, const Free& b) { return a.offset < b.offset; });
    at = free_.insert(at, part);
    if (const auto next = at + 1; next != free_.end() && at->offset + at->size == next->offset) {
      at->size += next->size;
      free_.erase(next);
    }
    if (at != free_.begin()) {
      const auto before = at - 1;
      if (before->offset + before->size == at->offset) {
        before->size += at->size;
        free_.erase(at);
      }
    }
  }

 private:
  std::vector<Free> free_;
  int64_t end_ = 0;
};

// Where each value is made and read last, and whether one group does all of it.
struct Life {
  size_t last_use = 0;
  int32_t group = kNone;
  bool local = true;
};

}  // namespace

Plan make_plan(const Program& program, std::span<const int32_t> group,
               std::span<const int32_t> phase) {
  const size_t count = program.ops.size();
  if (phase.empty()) phase = group;
  const auto group_of = [&](size_t op) {
    return group.empty() ? static_cast<int32_t>(op) : group[op];
  };
  std::vector<Life> lives(program.values.size());
  for (size_t i = 0; i < count; ++i) {
    const Op& op = program.ops[i];
    const bool alone = (i == 0 || group_of(i - 1) != group_of(i)) &&
                       (i + 1 == count || group_of(i + 1) != group_of(i));
    for (ValueId out = op.out; out < op.out + op.results; ++out)
      lives[static_cast<size_t>(out)] = {i, group_of(i), !alone && out != program.logits};
    for (const ValueId in : op.in) {
      if (in == kNone) continue;
      Life& life = lives[static_cast<size_t>(in)];
      life.last_use = i;
      life.local = life.local && life.group == group_of(i);
    }
  }

  // After which operation a value's memory is free: a local value's at once, others' at the end of
  // the phase that reads them last.
  std::vector<std::vector<size_t>> dying(count);
  for (size_t v = 0; v < lives.size(); ++v) {
    size_t at = lives[v].last_use;
    while (!lives[v].local && at + 1 < count && !phase.empty() && phase[at + 1] == phase[at]) ++at;
    dying[at].push_back(v);
  }

  Plan plan;
  plan.offset.assign(lives.size(), kNone);
  plan.size.assign(lives.size(), 0);
  plan.local.assign(lives.size(), false);
  Space arena, block;
  for (size_t i = 0; i < count; ++i) {
    const Op& op = program.ops[i];
    for (ValueId made = op.out; made < op.out + op.results; ++made) {
      if (made == program.logits) continue;
      const auto out = static_cast<size_t>(made);
      plan.local[out] = lives[out].local;
      plan.size[out] = (program.value(made).width + kVector - 1) / kVector * kVector;
      plan.offset[out] = (plan.local[out] ? block : arena).take(plan.size[out]);
    }
    // Inputs die after the results were placed: no operation works in place.
    for (const size_t v : dying[i])
      if (plan.offset[v] != kNone)
        (plan.local[v] ? block : arena).give_back({plan.offset[v], plan.size[v]});
  }
  plan.floats_per_token = arena.end();
  plan.local_floats_per_row = block.end();
  return plan;
}

}  // namespace skein::ops
