// Products with matrices: panels or records, f32 or integers, exact or fast, whole rows of logits.
#include <algorithm>
#include <atomic>

#include "base/finite.h"
#include "cpu/executor.h"
#include "cpu/records.h"

namespace skein::cpu {

using ops::Step;

void Executor::find_runs(const Step& step) {
  const auto tokens = static_cast<int64_t>(step.tokens.size());
  runs_.clear();
  int64_t done = 0;
  for (const ops::RowRange& fast : step.fast) {
    if (kernels_.fast_form == FastForm::none) break;
    if (fast.begin > done) runs_.push_back({{done, fast.begin}, false});
    runs_.push_back({{fast.begin, fast.end}, true});
    done = fast.end;
  }
  if (done < tokens) runs_.push_back({{done, tokens}, false});
}

const std::byte* Executor::prepare_input(const ops::Op& op, const Step& step, const Run& run,
                                         int thread) {
  const PackedWeight& matrix = matrix_of(op, step);
  if (matrix.type != PanelType::codes && !run.fast) return nullptr;
  const Matrix x = value(op.in[0], step);
  const float* first = x.data + run.rows.begin * x.stride;
  const int64_t count = run.rows.end - run.rows.begin;
  const auto prepare = [&](std::byte* out, Range rows) {
    if (run.fast)
      kernels_.round_rows({.x = first,
                           .x_stride = x.stride,
                           .in = matrix.width,
                           .group = matrix.codes.group,
                           .bias = matrix.codes.bias,
                           .out = out},
                          rows);
    else
      kernels_.quantise({.x = first,
                         .x_stride = x.stride,
                         .row = {.in = matrix.width, .group = matrix.codes.group},
                         .bias = matrix.codes.bias,
                         .out = out},
                        rows);
    return out;
  };
  if (count <= QuantisedPlaces::kOwnRows && !run.fast)  // tiles read 16 rows and more
    return prepare(quantised_.data() + quantised_at_.own_at(thread), {0, count});
  std::byte* out =
      quantised_.data() + quantised_at_.shared_at(turns_[static_cast<size_t>(thread)]++);
  prepare(out, share(count, thread, parts_));
  barrier();
  return out;
}

void Executor::linear(const OpPart& o) {
  Executor& e = o.executor;
  if (e.program_.value(o.op.out).rows == ops::Rows::outputs)
    return e.multiply(o.op, o.step, Run{{0, e.rows_of(o.op.out, o.step)}}, o.part);
  const bool fast = e.kernels_.is_fast_for(e.matrix_of(o.op, o.step).type);
  for (const Run& run : e.runs_) e.multiply(o.op, o.step, Run{run.rows, run.fast && fast}, o.part);
}

void Executor::multiply(const ops::Op& op, const Step& step, const Run& run, const Part& part) {
  const PackedWeight& matrix = matrix_of(op, step);
  const Matrix x = value(op.in[0], step), y = value(op.out, step);
  // There is none before the first step that needs it.
  float* scratch = scratch_.size() ? scratch_.floats() + part.thread * kLinearScratch : nullptr;
  const Linear l = {.panels = matrix.data,
                    .type = matrix.type,
                    .codes = matrix.codes,
                    .records = matrix.records,
                    .in = matrix.width,
                    .out = matrix.rows,
                    .bias = vector(op.weight[1]),
                    .function = op.function,
                    .x = x.data + run.rows.begin * x.stride,
                    .x_stride = x.stride,
                    .quantised = prepare_input(op, step, run, part.thread),
                    .y = y.data + run.rows.begin * y.stride,
                    .y_stride = y.stride,
                    .tokens = run.rows.end - run.rows.begin,
                    .scratch = scratch};
  const Range panels = {part.columns.begin / kPanel, (part.columns.end + kPanel - 1) / kPanel};
  if (l.records) return multiply_records(l, run, panels, part.thread);
  run.fast ? kernels_.linear_fast(l, panels) : kernels_.linear(l, panels);
  if (op.out == program_.logits) check_logits(step, part.columns);
}

// By the thread that has just computed them, out of its cache.
void Executor::check_logits(const Step& step, Range columns) const {
  const Matrix y = value(program_.logits, step);
  for (size_t row = 0; row < step.not_finite.size(); ++row) {
    const float* first = y.data + static_cast<int64_t>(row) * y.stride + columns.begin;
    if (!all_finite({first, static_cast<size_t>(columns.end - columns.begin)}))
      std::atomic_ref(step.not_finite[row]).store(1, std::memory_order_relaxed);
  }
}

void Executor::multiply_records(const Linear& l, const Run& run, Range panels, int thread) {
  if (!run.fast && worth_skipping(l)) return kernels_.linear(l, panels);
  std::byte* unpacked = unpacked_.data() + thread * weights_.unpacked_bytes();
  constexpr int64_t kPanels = kRecordRows / kPanel;
  for (int64_t first = panels.begin / kPanels * kPanels; first < panels.end;) {
    const int64_t end = std::min(l.out / kPanel, first + kUnpackedPanels);
    kernels_.unpack_records(l, {first, end}, unpacked);
    Linear some = l;
    some.panels = unpacked;
    some.records = false;
    some.out = (end - first) * kPanel;
    some.bias = l.bias ? l.bias + first * kPanel : nullptr;
    some.y = l.y + first * kPanel;
    const Range mine = {std::max(panels.begin, first) - first, std::min(panels.end, end) - first};
    run.fast ? kernels_.linear_fast(some, mine) : kernels_.linear(some, mine);
    first = end;
  }
}

}  // namespace skein::cpu
