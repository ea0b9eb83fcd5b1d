#include "cpu/schedule.h"

#include <algorithm>
#include <numeric>

#include "cpu/kernels.h"

namespace skein::cpu {
namespace {

using ops::kNone;
using ops::Op;
using ops::OpKind;
using ops::Program;

bool is_recurrence(OpKind kind) {
  return kind == OpKind::wkv4 || kind == OpKind::wkv6 || kind == OpKind::wkv7;
}

bool is_elementwise(OpKind kind) {
  return kind == OpKind::lerp || kind == OpKind::add || kind == OpKind::sub ||
         kind == OpKind::mul || kind == OpKind::unary;
}

// Heads by themselves, without a look at their neighbours.
bool is_headwise(OpKind kind) {
  return kind == OpKind::wkv6 || kind == OpKind::wkv7 || kind == OpKind::group_norm ||
         kind == OpKind::l2norm_heads || kind == OpKind::bonus;
}

bool needs_whole_rows(OpKind kind) {
  return kind == OpKind::linear || kind == OpKind::layer_norm || kind == OpKind::rms_norm;
}

// How the columns of values are divided: per width in whole heads, so that everything that is done
// to a head is done by one thread, if that leaves nobody with much more than his part.
class Columns {
 public:
  Columns(const Program& program, int threads) : program_(program) {
    for (const Op& op : program.ops) {
      if (!is_headwise(op.kind)) continue;
      const int32_t width = width_of(op);
      const auto groups = static_cast<int32_t>(std::lcm(kPanel, int64_t{width / op.heads}));
      auto at = std::find_if(grains_.begin(), grains_.end(),
                             [&](const Grain& g) { return g.width == width; });
      if (at == grains_.end()) at = grains_.insert(at, {width, kPanel, false});
      at->grain = std::lcm(at->grain, groups);
    }
    for (Grain& g : grains_) {
      const int64_t parts = (g.width + g.grain - 1) / g.grain;
      const int64_t most = std::min<int64_t>((parts + threads - 1) / threads * g.grain, g.width);
      g.even = most * threads <= g.width + g.width / 16;
    }
  }

  bool heads_are_even(const Op& op) const {
    const Grain* g = find(op);
    return g && g->even;
  }
  int32_t grain(const Op& op) const {
    const Grain* g = find(op);
    return static_cast<int32_t>(g && g->even ? g->grain : kPanel);
  }

 private:
  struct Grain {
    int32_t width;
    int64_t grain;
    bool even;
  };
  int32_t width_of(const Op& op) const {
    return program_.values[static_cast<size_t>(op.out)].width;
  }
  const Grain* find(const Op& op) const {
    for (const Grain& g : grains_)
      if (g.width == width_of(op)) return &g;
    return nullptr;
  }

  const Program& program_;
  std::vector<Grain> grains_;
};

// Element functions are left to split_elementwise().
Split split_of(const Op& op, StepSize size, const Columns& columns) {
  const bool small = size == StepSize::small;
  switch (op.kind) {
    case OpKind::linear:
    case OpKind::wkv4:
    case OpKind::pick: return Split::columns;
    case OpKind::wkv6:
    case OpKind::wkv7: return columns.heads_are_even(op) ? Split::columns : Split::states;
    case OpKind::group_norm:
    case OpKind::l2norm_heads:
    case OpKind::bonus:
      if (columns.heads_are_even(op)) return Split::columns;
      return small ? Split::serial : Split::rows;
    case OpKind::repeat_heads:
    case OpKind::token_matmul: return small ? Split::serial : Split::rows;
    default: return small ? Split::columns : Split::rows;
  }
}

// Element functions work with any split and take that of what they lead to, or else follow.
void split_elementwise(const Program& program, StepSize size, std::vector<Scheduled>& all) {
  const Split otherwise = size == StepSize::small ? Split::serial : Split::rows;
  const auto takes_part = [&](size_t i) {
    const OpKind kind = program.ops[i].kind;
    return !is_elementwise(kind) && kind != OpKind::pick && kind != OpKind::rows;
  };
  for (size_t i = 0; i < all.size(); ++i) {
    if (!is_elementwise(program.ops[i].kind)) continue;
    size_t next = i, before = i;
    while (next < all.size() && is_elementwise(program.ops[next].kind)) ++next;
    while (before > 0 && is_elementwise(program.ops[before].kind)) --before;
    const bool leads =
        next < all.size() && takes_part(next) && program.ops[next].kind != OpKind::linear;
    const Split split = all[leads ? next : before].split;
    all[i].split = split == Split::states ? otherwise : split;
  }
}

// What a thread touches of a value. Values of one width have the same columns.
enum class Reach : uint8_t { first_thread, own_rows, own_columns, anything };

Reach reach_of(Split split) {
  switch (split) {
    case Split::serial: return Reach::first_thread;
    case Split::rows: return Reach::own_rows;
    case Split::columns: return Reach::own_columns;
    case Split::states: break;
  }
  return Reach::anything;
}

Reach read_reach(const Op& op, Split split) {
  if (split == Split::rows && op.kind == OpKind::shift) return Reach::anything;  // a row before
  if (split == Split::columns && needs_whole_rows(op.kind)) return Reach::anything;
  return reach_of(split);
}

// wkv4 has three slots in a row.
ops::SlotId last_slot(const Op& op) { return op.kind == OpKind::wkv4 ? op.slot + 2 : op.slot; }

bool share_a_slot(const Op& a, const Op& b) {
  if (a.slot == kNone || b.slot == kNone) return false;
  return a.slot <= last_slot(b) && b.slot <= last_slot(a);
}

// What operations have to do with each other through values and slots. Memory that values share
// makes no further ties: it changes hands only at barriers (ops/plan.h).
class Ties {
 public:
  Ties(const Program& program, const std::vector<Scheduled>& all) : program_(program), all_(all) {}

  // Whether `later` needs what other threads do in `earlier`.
  bool between(size_t earlier, size_t later) const {
    const Op& a = program_.ops[earlier];
    const Op& b = program_.ops[later];
    for (const ops::ValueId in : b.in)
      if (in == a.out && !own_part(earlier, later)) return true;
    return share_a_slot(a, b);
  }

 private:
  // Whether each thread reads in `reader` only what it wrote itself.
  bool own_part(size_t writer, size_t reader) const {
    const Reach made = reach_of(all_[writer].split);
    const Reach read = read_reach(program_.ops[reader], all_[reader].split);
    if (made != read || made == Reach::anything) return false;
    const ops::Value& x = program_.values[static_cast<size_t>(program_.ops[writer].out)];
    const ops::Value& y = program_.values[static_cast<size_t>(program_.ops[reader].out)];
    if (made == Reach::own_rows) return x.rows == y.rows;
    return made == Reach::first_thread ||
           (x.width == y.width && all_[writer].grain == all_[reader].grain);
  }

  const Program& program_;
  const std::vector<Scheduled>& all_;
};

bool can_be_joined(const Op& op, Split split) {
  return (split == Split::rows || split == Split::columns) && op.kind != OpKind::linear &&
         op.kind != OpKind::pick && op.kind != OpKind::rows;
}

// Joins neighbours that are divided alike and hand each other nothing but their own rows and
// columns. A large step's shift needs the rows before its block, and the sequence's last.
void join(const Program& program, StepSize size, std::vector<Scheduled>& all) {
  const Ties ties(program, all);
  size_t first = 0;
  for (size_t i = 1; i < all.size(); ++i) {
    const Op &op = program.ops[i], &before = program.ops[i - 1];
    const ops::Value& value = program.values[static_cast<size_t>(op.out)];
    const ops::Value& value_before = program.values[static_cast<size_t>(before.out)];
    bool joined = can_be_joined(op, all[i].split) && can_be_joined(before, all[i - 1].split) &&
                  all[i].split == all[i - 1].split && value.rows == value_before.rows;
    if (all[i].split == Split::columns)
      joined = joined && value.width == value_before.width && all[i].grain == all[i - 1].grain;
    for (size_t j = first; j < i && joined; ++j) {
      joined = !ties.between(j, i);
      if (op.kind == OpKind::shift && size == StepSize::large)
        joined = joined && program.ops[j].out != op.in[0];
    }
    all[i].joined = joined;
    if (!joined) first = i;
  }
}

size_t end_of_group(const std::vector<Scheduled>& all, size_t first) {
  size_t end = first + 1;
  while (end < all.size() && all[end].joined) ++end;
  return end;
}

// A recurrence reads its state again for each block, so that its blocks are long; other operations
// prefer what fits an L1 cache.
void choose_block_rows(const Program& program, std::vector<Scheduled>& all) {
  constexpr int32_t kShortBlock = 8;
  for (size_t first = 0, end = 0; first < all.size(); first = end) {
    end = end_of_group(all, first);
    bool recurrence = false;
    for (size_t i = first; i < end; ++i) recurrence |= is_recurrence(program.ops[i].kind);
    for (size_t i = first; i < end; ++i) all[i].block_rows = recurrence ? kBlockRows : kShortBlock;
  }
}

void place_barriers(const Program& program, std::vector<Scheduled>& all) {
  const Ties ties(program, all);
  size_t since = 0;  // the first operation after the last barrier; look-ups come before threads
  while (since < all.size() && program.ops[since].kind == OpKind::rows) ++since;
  for (size_t first = since, end = 0; first < all.size(); first = end) {
    end = end_of_group(all, first);
    bool wait = false;
    for (size_t before = since; before < first && !wait; ++before)
      for (size_t i = first; i < end && !wait; ++i) wait = ties.between(before, i);
    all[first].wait_before = wait;
    if (wait) since = first;
  }
}

// Numbers the stretches that begin where `begins` says so.
template <typename Begins>
std::vector<int32_t> stretches(const std::vector<Scheduled>& all, const Begins& begins) {
  std::vector<int32_t> out(all.size(), 0);
  for (size_t i = 1; i < all.size(); ++i) out[i] = out[i - 1] + (begins(all[i]) ? 1 : 0);
  return out;
}

}  // namespace

Schedule make_schedule(const Program& program, StepSize size, int threads) {
  Schedule schedule;
  std::vector<Scheduled>& all = schedule.ops;
  const Columns columns(program, threads);
  for (const Op& op : program.ops)
    all.push_back({.split = split_of(op, size, columns), .grain = columns.grain(op)});
  split_elementwise(program, size, all);
  join(program, size, all);
  choose_block_rows(program, all);
  place_barriers(program, all);
  const auto groups = stretches(all, [](const Scheduled& op) { return !op.joined; });
  const auto phases = stretches(all, [](const Scheduled& op) { return op.wait_before; });
  schedule.plan = ops::make_plan(program, groups, phases);
  return schedule;
}

Schedule make_traced_schedule(const Program& program) {
  Schedule schedule = {.ops = {}, .plan = ops::make_plan(program)};
  schedule.ops.resize(program.ops.size(), {.split = Split::columns});
  return schedule;
}

}  // namespace skein::cpu
