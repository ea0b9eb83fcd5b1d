#include "cpu/schedule.h"

namespace skein::cpu {
namespace {

using ops::kNone;
using ops::OpKind;

Split split_of(const ops::Op& op, bool small) {
  if (op.kind == OpKind::linear) return Split::panels;
  if (op.kind == OpKind::wkv4 || op.kind == OpKind::wkv6 || op.kind == OpKind::wkv7)
    return Split::states;
  // pick gives another number of rows than it reads, and it is a copy.
  return small || op.kind == OpKind::pick ? Split::serial : Split::rows;
}

// Two operations that each thread does for the same rows, none of them reading a neighbour's row.
bool row_by_row(const ops::Op& a, Split a_split, const ops::Op& b, Split b_split) {
  return a_split == Split::rows && b_split == Split::rows && a.kind != OpKind::shift &&
         b.kind != OpKind::shift;
}

// wkv4 has three slots in a row.
ops::SlotId last_slot(const ops::Op& op) { return op.kind == OpKind::wkv4 ? op.slot + 2 : op.slot; }

bool share_a_slot(const ops::Op& a, const ops::Op& b) {
  if (a.slot == kNone || b.slot == kNone) return false;
  return a.slot <= last_slot(b) && b.slot <= last_slot(a);
}

class Memory {
 public:
  Memory(const ops::Program& program, const ops::Plan& plan) : program_(program), plan_(plan) {}

  // Whether running a and b at the same time could go wrong. With `rowwise` each thread has the
  // same rows of both, so that values whose rows lie in the same places do not disturb each other;
  // a value that reuses another's memory at an offset does, because there row 3 of the one may be
  // row 2 of the other.
  bool conflict(const ops::Op& a, const ops::Op& b, bool rowwise) const {
    if (clash(a.out, b.out, rowwise)) return true;
    for (const ops::ValueId in : b.in)
      if (clash(a.out, in, rowwise)) return true;
    for (const ops::ValueId in : a.in)
      if (clash(b.out, in, rowwise)) return true;
    return share_a_slot(a, b);
  }

 private:
  bool clash(ops::ValueId a, ops::ValueId b, bool rowwise) const {
    if (a == kNone || b == kNone) return false;
    const auto x = static_cast<size_t>(a), y = static_cast<size_t>(b);
    const bool same_rows = program_.values[x].rows == program_.values[y].rows;
    if (a == b) return !rowwise;
    if (plan_.offset[x] == kNone || plan_.offset[y] == kNone) return false;
    const bool overlap = plan_.offset[x] < plan_.offset[y] + plan_.size[y] &&
                         plan_.offset[y] < plan_.offset[x] + plan_.size[x];
    const bool same_place = plan_.offset[x] == plan_.offset[y] && plan_.size[x] == plan_.size[y];
    return overlap && !(rowwise && same_rows && same_place);
  }

  const ops::Program& program_;
  const ops::Plan& plan_;
};

}  // namespace

std::vector<Scheduled> make_schedule(const ops::Program& program, const ops::Plan& plan,
                                     bool small) {
  const Memory memory(program, plan);
  std::vector<Scheduled> schedule(program.ops.size());
  size_t since = 0;  // the first operation after the last meeting
  for (size_t i = 0; i < program.ops.size(); ++i) {
    const ops::Op& op = program.ops[i];
    schedule[i].split = split_of(op, small);
    for (size_t j = since; j < i; ++j) {
      const ops::Op& before = program.ops[j];
      const Split split = schedule[i].split, split_before = schedule[j].split;
      if (split == Split::serial && split_before == Split::serial) continue;
      if (!memory.conflict(before, op, row_by_row(before, split_before, op, split))) continue;
      schedule[i].wait_before = true;
      since = i;
      break;
    }
  }
  return schedule;
}

}  // namespace skein::cpu
