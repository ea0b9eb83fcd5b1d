// Looks for two threads that touch the same float between two barriers of a schedule. Written
// without the scheduler's own notions: row t of value v stands at offset * tokens + t * size.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/pool.h"
#include "cpu/schedule.h"

namespace skein::test {

class Races {
 public:
  Races(const ops::Program& program, const cpu::Schedule& schedule, int threads, int64_t tokens)
      : program_(program), schedule_(schedule), threads_(threads), tokens_(tokens) {
    cells_.resize(static_cast<size_t>(schedule.plan.floats_per_token * tokens));
    logits_.resize(static_cast<size_t>(width(program.logits) * tokens));
  }

  // A sentence about the first race, or nothing. All tokens' outputs are wanted.
  std::string find() {
    size_t first = 0;
    while (program_.ops[first].kind == ops::OpKind::rows) ++first;  // done before threads start
    size_t group = first;
    for (size_t i = first; i < program_.ops.size() && found_.empty(); ++i) {
      const cpu::Scheduled& how = schedule_.ops[i];
      if (!how.joined) group = i;
      if (how.wait_before) {
        if (how.joined) return "a barrier within a group";
        for (auto* cells : {&cells_, &logits_}) std::fill(cells->begin(), cells->end(), Cell());
      }
      for (int thread = 0; thread < threads_; ++thread) touch_all(i, thread);
      check_group(group, i);
    }
    return found_;
  }

 private:
  struct Cell {
    int writer = kNobody;
    int reader = kNobody;
  };
  static constexpr int kNobody = -1, kSeveral = -2;

  int64_t width(ops::ValueId id) const { return program_.values[static_cast<size_t>(id)].width; }

  void touch_all(size_t i, int thread) {
    const ops::Op& op = program_.ops[i];
    const cpu::Scheduled& how = schedule_.ops[i];
    if (how.split == cpu::Split::serial && thread != 0) return;
    Range rows = {0, tokens_}, columns = {0, width(op.out)};
    if (how.split == cpu::Split::rows) rows = share(tokens_, thread, threads_);
    if (how.split == cpu::Split::columns) columns = share(columns.end, thread, threads_, how.grain);
    if (rows.begin == rows.end || columns.begin == columns.end) return;
    // Whoever takes whose heads where they do not go round: nobody else may be near.
    const int who = how.split == cpu::Split::states ? threads_ + 1 : thread;
    const bool whole = op.kind == ops::OpKind::linear || op.kind == ops::OpKind::layer_norm ||
                       op.kind == ops::OpKind::rms_norm || how.split != cpu::Split::columns;
    for (const ops::ValueId in : op.in) {
      if (in == ops::kNone) continue;
      const bool neighbours = op.kind == ops::OpKind::shift && how.split == cpu::Split::rows;
      touch(in, neighbours ? Range{0, tokens_} : rows, whole ? Range{0, width(in)} : columns, who,
            false, i);
    }
    touch(op.out, rows, columns, who, true, i);
  }

  void touch(ops::ValueId id, Range rows, Range columns, int who, bool writes, size_t op) {
    const auto v = static_cast<size_t>(id);
    const ops::Plan& plan = schedule_.plan;
    if (plan.local[v]) return;
    const bool logits = id == program_.logits;
    const int64_t stride = logits ? width(id) : plan.size[v];
    Cell* cells = logits ? logits_.data() : cells_.data() + plan.offset[v] * tokens_;
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      for (int64_t column = columns.begin; column < columns.end; ++column) {
        Cell& cell = cells[row * stride + column];
        const bool written = cell.writer != kNobody && cell.writer != who;
        const bool read = cell.reader != kNobody && cell.reader != who;
        if (found_.empty() && (written || (writes && read)))
          found_ =
              fmt::format("operation {} {} row {}, column {} of {} at the same time as another", op,
                          writes ? "writes" : "reads", row, column, program_.values[v].name);
        if (writes)
          cell.writer = who;
        else
          cell.reader = read ? kSeveral : who;
      }
    }
  }

  // Within a group operations are at different rows: its values must not share memory, and those
  // that live in a block must not leave the group.
  void check_group(size_t first, size_t i) {
    const ops::Plan& plan = schedule_.plan;
    const auto out = static_cast<size_t>(program_.ops[i].out);
    for (size_t j = 0; j < program_.ops.size(); ++j) {
      const ops::Op& other = program_.ops[j];
      for (const ops::ValueId in : other.in)
        if (in == program_.ops[i].out && plan.local[out] && !same_group(i, j))
          found_ = program_.values[out].name + " is read outside its group";
      if (j < first || j >= i || plan.local[out]) continue;
      for (const ops::ValueId id : {other.out, other.in[0], other.in[1], other.in[2], other.in[3],
                                    other.in[4], other.in[5]}) {
        if (id == ops::kNone || id == program_.ops[i].out || id == program_.logits) continue;
        const auto v = static_cast<size_t>(id);
        if (!plan.local[v] && plan.offset[v] < plan.offset[out] + plan.size[out] &&
            plan.offset[out] < plan.offset[v] + plan.size[v])
          found_ = program_.values[out].name + " overwrites a value of its group";
      }
    }
  }

  bool same_group(size_t i, size_t j) const {
    for (size_t k = std::min(i, j) + 1; k <= std::max(i, j); ++k)
      if (!schedule_.ops[k].joined) return false;
    return true;
  }

  const ops::Program& program_;
  const cpu::Schedule& schedule_;
  int threads_;
  int64_t tokens_;
  std::vector<Cell> cells_, logits_;
  std::string found_;
};

inline std::string find_race(const ops::Program& program, const cpu::Schedule& schedule,
                             int threads, int64_t tokens) {
  return Races(program, schedule, threads, tokens).find();
}

}  // namespace skein::test
