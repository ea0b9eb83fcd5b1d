#include "cpu/schedule.h"

namespace skein::cpu {
namespace {

using ops::kNone;
using ops::OpKind;

Split split_of(const ops::Op& op, bool small) {
  if (op.kind == OpKind::linear) return Split::panels;
  if (op.kind == OpKind::wkv7) return Split::heads;
  // pick gives another number of rows than it reads, and it is a copy.
  return small || op.kind == OpKind::pick ? Split::serial : Split::rows;
}

// Two operations with the same thread behind each row need not meet, unless one of them reads its
// neighbour's row.
bool same_threads(const ops::Op& a, Split a_split, const ops::Op& b, Split b_split) {
  if (a_split != b_split) return false;
  if (a_split == Split::serial) return true;
  return a_split == Split::rows && a.kind != OpKind::shift && b.kind != OpKind::shift;
}

class Memory {
 public:
  explicit Memory(const ops::Plan& plan) : plan_(plan) {}

  bool overlap(ops::ValueId a, ops::ValueId b) const {
    if (a == kNone || b == kNone) return false;
    if (a == b) return true;
    const auto x = static_cast<size_t>(a), y = static_cast<size_t>(b);
    if (plan_.offset[x] == kNone || plan_.offset[y] == kNone) return false;
    return plan_.offset[x] < plan_.offset[y] + plan_.size[y] &&
           plan_.offset[y] < plan_.offset[x] + plan_.size[x];
  }

  // Whether running a and b at the same time could go wrong.
  bool conflict(const ops::Op& a, const ops::Op& b) const {
    if (overlap(a.out, b.out)) return true;
    for (const ops::ValueId in : b.in)
      if (overlap(a.out, in)) return true;
    for (const ops::ValueId in : a.in)
      if (overlap(b.out, in)) return true;
    return a.slot != kNone && a.slot == b.slot;
  }

 private:
  const ops::Plan& plan_;
};

}  // namespace

std::vector<Scheduled> make_schedule(const ops::Program& program, const ops::Plan& plan,
                                     bool small) {
  const Memory memory(plan);
  std::vector<Scheduled> schedule(program.ops.size());
  size_t since = 0;  // the first operation after the last meeting
  for (size_t i = 0; i < program.ops.size(); ++i) {
    const ops::Op& op = program.ops[i];
    schedule[i].split = split_of(op, small);
    for (size_t j = since; j < i; ++j) {
      const ops::Op& before = program.ops[j];
      if (same_threads(before, schedule[j].split, op, schedule[i].split)) continue;
      if (!memory.conflict(before, op)) continue;
      schedule[i].wait_before = true;
      since = i;
      break;
    }
  }
  return schedule;
}

}  // namespace skein::cpu
