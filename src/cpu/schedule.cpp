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

bool is(const Op& op, Division division) { return cpu_operation(op.kind).division == division; }

// Neither leads its neighbours nor is joined to them: all of its input has to be there.
bool stands_alone(const Op& op) {
  return cpu_operation(op.kind).meets || ops::operation(op).along == ops::Along::chosen ||
         is(op, Division::before);
}

// How the columns of values are divided: per width in whole heads, so that everything that is done
// to a head is done by one thread, if that leaves nobody with much more than his part.
class Columns {
 public:
  Columns(const Program& program, int threads) : program_(program) {
    for (const Op& op : program.ops) {
      if (ops::operation(op).across != ops::Across::head) continue;
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
  int32_t width_of(const Op& op) const { return program_.value(op.out).width; }
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
  const Division division = cpu_operation(op.kind).division;
  const bool heads = division == Division::heads || division == Division::states;
  if (heads && columns.heads_are_even(op)) return Split::columns;
  switch (division) {
    case Division::columns: return Split::columns;
    case Division::states: return Split::states;
    case Division::heads:
    case Division::rows: return small ? Split::serial : Split::rows;
    case Division::before:
    case Division::follows:
    case Division::either: break;
  }
  return small ? Split::columns : Split::rows;
}

// Element functions work with any split and take that of what they lead to, or else follow.
void split_elementwise(const Program& program, StepSize size, std::vector<Scheduled>& all) {
  const Split otherwise = size == StepSize::small ? Split::serial : Split::rows;
  const auto follows = [&](size_t i) { return is(program.ops[i], Division::follows); };
  for (size_t i = 0; i < all.size(); ++i) {
    if (!follows(i)) continue;
    size_t next = i, before = i;
    while (next < all.size() && follows(next)) ++next;
    while (before > 0 && follows(before)) --before;
    const bool leads = next < all.size() && !stands_alone(program.ops[next]);
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
  const ops::Operation& row = ops::operation(op);
  if (split == Split::rows && row.along != ops::Along::own) return Reach::anything;
  if (split == Split::columns && row.across == ops::Across::row) return Reach::anything;
  return reach_of(split);
}

ops::SlotId last_slot(const Op& op) { return op.slot + ops::operation(op).slots - 1; }

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
      if (in != kNone && a.makes(in) && !own_part(earlier, later, in)) return true;
    return share_a_slot(a, b);
  }

 private:
  // Whether each thread reads of a value in `reader` only what it wrote itself.
  bool own_part(size_t writer, size_t reader, ops::ValueId value) const {
    const Reach made = reach_of(all_[writer].split);
    const Reach read = read_reach(program_.ops[reader], all_[reader].split);
    if (made != read || made == Reach::anything) return false;
    const ops::Value &x = program_.value(value), &y = program_.value(program_.ops[reader].out);
    if (made == Reach::own_rows) return x.rows == y.rows;
    return made == Reach::first_thread ||
           (x.width == y.width && all_[writer].grain == all_[reader].grain);
  }

  const Program& program_;
  const std::vector<Scheduled>& all_;
};

bool can_be_joined(const Op& op, Split split) {
  return (split == Split::rows || split == Split::columns) && !stands_alone(op);
}

// Joins neighbours that are divided alike and hand each other nothing but their own rows and
// columns. A large step's shift needs the rows before its block, and the sequence's last.
void join(const Program& program, StepSize size, std::vector<Scheduled>& all) {
  const Ties ties(program, all);
  size_t first = 0;
  for (size_t i = 1; i < all.size(); ++i) {
    const Op &op = program.ops[i], &before = program.ops[i - 1];
    const ops::Value &value = program.value(op.out), &value_before = program.value(before.out);
    bool joined = can_be_joined(op, all[i].split) && can_be_joined(before, all[i - 1].split) &&
                  all[i].split == all[i - 1].split && value.rows == value_before.rows;
    if (all[i].split == Split::columns)
      joined = joined && value.width == value_before.width && all[i].grain == all[i - 1].grain;
    for (size_t j = first; j < i && joined; ++j) {
      joined = !ties.between(j, i);
      if (ops::operation(op).along == ops::Along::previous && size == StepSize::large)
        joined = joined && !program.ops[j].makes(op.in[0]);
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
    for (size_t i = first; i < end; ++i)
      recurrence |= ops::operation(program.ops[i]).slot_use == ops::SlotUse::recurrent;
    for (size_t i = first; i < end; ++i) all[i].block_rows = recurrence ? kBlockRows : kShortBlock;
  }
}

void place_barriers(const Program& program, std::vector<Scheduled>& all) {
  const Ties ties(program, all);
  size_t since = 0;  // the first operation after the last barrier; look-ups come before threads
  while (since < all.size() && is(program.ops[since], Division::before)) ++since;
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
