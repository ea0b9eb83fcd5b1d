// The operations: from values and weights to a kernel's arguments.
#include <algorithm>
#include <atomic>

#include "base/finite.h"
#include "cpu/executor.h"
#include "cpu/records.h"
#include "quant/formats.h"

namespace skein::cpu {

using ops::kNone;
using ops::OpKind;
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

void Executor::linear(const ops::Op& op, const Step& step, const Part& part) {
  if (program_.values[static_cast<size_t>(op.out)].rows == ops::Rows::outputs)
    return linear(op, step, Run{{0, rows_of(op.out, step)}}, part);
  const bool fast = kernels_.is_fast_for(matrix_of(op, step).type);
  for (const Run& run : runs_) linear(op, step, Run{run.rows, run.fast && fast}, part);
}

void Executor::linear(const ops::Op& op, const Step& step, const Run& run, const Part& part) {
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

bool Executor::can_skip_zeros() const {
  const auto matrices = matrices_of_sparse_inputs(program_);
  return std::any_of(matrices.begin(), matrices.end(),
                     [&](ops::WeightId id) { return weights_.can_be_records(id); });
}

Status Executor::skip_zeros(double active) {
  SK_TRY_STATUS(weights_.make_records(matrices_of_sparse_inputs(program_), active, *pool_));
  token_work_ = work_of_token();
  return {};
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

Status Executor::lookup(const ops::Op& op, const Step& step) {
  const StoredTensor& table = weights_[op.weight[0]].table;
  const Matrix y = value(op.out, step);
  const int64_t width = table.shape[1];
  const BlockSize block = block_size(table.dtype);
  const int64_t row_bytes = width / block.elements * block.bytes;
  const std::byte* first = table.storage.data() + table.offset / block.elements * block.bytes;
  for (size_t row = 0; row < step.tokens.size(); ++row)
    SK_TRY_STATUS(quant::decode(
        table.dtype, {first + step.tokens[row] * row_bytes, static_cast<size_t>(row_bytes)},
        {y.data + static_cast<int64_t>(row) * y.stride, static_cast<size_t>(width)}));
  if (step.trace) trace(op, step);
  return {};
}

void Executor::pick(const ops::Op& op, const Step& step, const Part& part) {
  const Matrix x = value(op.in[0], step), y = value(op.out, step);
  for (int64_t o = part.rows.begin; o < part.rows.end; ++o)
    std::copy_n(x.data + step.outputs[static_cast<size_t>(o)] * x.stride + part.columns.begin,
                part.width(), y.data + o * y.stride + part.columns.begin);
}

void Executor::shift(const ops::Op& op, const Step& step, const Part& part) {
  const Matrix x = at(op.in[0], step, part), y = at(op.out, step, part);
  const ops::Slot& slot = slot_of(op);
  for (const ops::Sequence& sequence : step.sequences) {
    const float* memory = ops::host_state(sequence).floats(slot) + part.columns.begin;
    const int64_t begin = std::max<int64_t>(sequence.begin, part.rows.begin);
    const int64_t end = std::min<int64_t>(sequence.end, part.rows.end);
    for (int64_t row = begin; row < end; ++row) {
      const int64_t place = row - part.rows.begin;
      std::copy_n(row == sequence.begin ? memory : x.data + (place - 1) * x.stride, part.width(),
                  y.data + place * y.stride);
    }
  }
  // The memory is replaced by whoever has a sequence's first row, which is the only reader of the
  // old one: it comes after that read, whoever has the last row.
  for (const ops::Sequence& sequence : step.sequences)
    if (sequence.begin >= part.rows.begin && sequence.begin < part.rows.end)
      std::copy_n(x.data + (sequence.end - 1 - part.rows.begin) * x.stride, part.width(),
                  ops::host_state(sequence).floats(slot) + part.columns.begin);
}

void Executor::normalise(const ops::Op& op, const Step& step, const Part& part) {
  const bool whole = op.kind == OpKind::layer_norm || op.kind == OpKind::rms_norm;
  const auto from = [&](const float* vector) {
    return vector && !whole ? vector + part.columns.begin : vector;
  };
  const int64_t width = width_of(op.out);
  const Matrix x = whole ? rows_at(op.in[0], step, part) : at(op.in[0], step, part);
  const Matrix y = whole ? rows_at(op.out, step, part) : at(op.out, step, part);
  const Norm n = {.x = x.data,
                  .y = y.data,
                  .stride = x.stride,
                  .width = whole ? width : part.width(),
                  .groups = whole ? 1 : part.width() * op.heads / width,
                  .weight = from(vector(op.weight[0])),
                  .bias = from(vector(op.weight[1])),
                  .epsilon = op.epsilon,
                  .written = whole ? part.columns : Range{0, width}};
  kernels_.norm(n, part.own_rows());
}

void Executor::elementwise(const ops::Op& op, const Step& step, const Part& part) {
  const Matrix a = at(op.in[0], step, part);
  const bool lerp = op.kind == OpKind::lerp;
  const bool shared = op.weight[0] != kNone;
  const float* weight = shared ? vector(op.weight[0]) + part.columns.begin : nullptr;
  const float* b = at(op.in[1], step, part).data;
  const Elementwise e = {.kind = op.kind,
                         .function = op.function,
                         .a = a.data,
                         .b = lerp || !shared ? b : weight,
                         .t = lerp ? (shared ? weight : at(op.in[2], step, part).data) : nullptr,
                         .shared = shared,
                         .y = at(op.out, step, part).data,
                         .stride = a.stride,
                         .width = part.width()};
  kernels_.elementwise(e, part.own_rows());
}

void Executor::bonus(const ops::Op& op, const Step& step, const Part& part) {
  const Matrix r = at(op.in[0], step, part);
  const Bonus b = {.r = r.data,
                   .k = at(op.in[1], step, part).data,
                   .v = at(op.in[2], step, part).data,
                   .u = vector(op.weight[0]) + part.columns.begin,
                   .y = at(op.out, step, part).data,
                   .stride = r.stride,
                   .width = part.width(),
                   .heads = part.width() * op.heads / width_of(op.out)};
  kernels_.bonus(b, part.own_rows());
}

void Executor::repeat_heads(const ops::Op& op, const Step& step, const Part& part) {
  const Matrix x = rows_at(op.in[0], step, part), y = rows_at(op.out, step, part);
  const int64_t size = width_of(op.out) / op.heads;
  const int64_t repeats = width_of(op.out) / width_of(op.in[0]);
  for (int64_t row = 0; row < part.own_rows().end; ++row)
    for (int64_t head = 0; head < op.heads; ++head)
      std::copy_n(x.data + row * x.stride + head / repeats * size, size,
                  y.data + row * y.stride + head * size);
}

void Executor::token_matmul(const ops::Op& op, const Step& step, const Part& part) {
  const Matrix x = rows_at(op.in[0], step, part), m = rows_at(op.in[1], step, part);
  const Matrix y = rows_at(op.out, step, part);
  const TokenMatmul p = {.x = x.data,
                         .x_stride = x.stride,
                         .m = m.data,
                         .m_stride = m.stride,
                         .y = y.data,
                         .y_stride = y.stride,
                         .in = width_of(op.in[0]),
                         .out = width_of(op.out)};
  kernels_.token_matmul(p, part.own_rows());
}

void Executor::recurrence(const ops::Op& op, const Step& step, const Part& part) {
  const int64_t size = width_of(op.out) / std::max(op.heads, 1);
  for (const ops::Sequence& sequence : step.sequences) {
    Part mine = part;
    mine.rows = {std::max<int64_t>(sequence.begin, part.rows.begin),
                 std::min<int64_t>(sequence.end, part.rows.end)};
    if (mine.rows.begin >= mine.rows.end) continue;
    if (op.kind == OpKind::wkv4) {
      wkv4(op, step, sequence, mine);
      continue;
    }
    for (int64_t channel = part.columns.begin; channel < part.columns.end; channel += size) {
      mine.columns = {channel, channel + size};
      one_head(op, step, sequence, mine);
    }
  }
}

void Executor::share_states(const ops::Op& op, const Step& step, const Part& part) {
  const int64_t size = width_of(op.out) / op.heads;
  const auto sequences = static_cast<int64_t>(step.sequences.size());
  const Range mine = share(op.heads * sequences, part.thread, parts_);
  for (int64_t i = mine.begin; i < mine.end; ++i) {
    const ops::Sequence& sequence = step.sequences[static_cast<size_t>(i / op.heads)];
    const int64_t channel = i % op.heads * size;
    Part head = part;
    head.rows = {sequence.begin, sequence.end};
    head.columns = {channel, channel + size};
    one_head(op, step, sequence, head);
  }
}

void Executor::one_head(const ops::Op& op, const Step& step, const ops::Sequence& sequence,
                        const Part& head) {
  op.kind == OpKind::wkv6 ? wkv6(op, step, sequence, head) : wkv7(op, step, sequence, head);
}

void Executor::wkv4(const ops::Op& op, const Step& step, const ops::Sequence& sequence,
                    const Part& part) {
  const int64_t width = width_of(op.out);
  const Matrix y = at(op.out, step, part);
  const int64_t first = part.columns.begin;
  float* state = ops::host_state(sequence).floats(slot_of(op)) + first;
  const Wkv4 c = {.k = at(op.in[0], step, part).data,
                  .v = at(op.in[1], step, part).data,
                  .w = vector(op.weight[0]) + first,
                  .u = vector(op.weight[1]) + first,
                  .y = y.data,
                  .aa = state,
                  .bb = state + width,
                  .pp = state + 2 * width,
                  .stride = y.stride,
                  .tokens = part.rows.end - part.rows.begin,
                  .width = part.width()};
  kernels_.wkv4(c, {0, (part.width() + kPanel - 1) / kPanel});
}

void Executor::wkv6(const ops::Op& op, const Step& step, const ops::Sequence& sequence,
                    const Part& head) {
  const Matrix y = at(op.out, step, head);
  const bool constant = op.in[3] == kNone;
  const float* u = vector(op.weight[1]);
  const int64_t channel = head.columns.begin;
  const Wkv6 h = {.r = at(op.in[0], step, head).data,
                  .k = at(op.in[1], step, head).data,
                  .v = at(op.in[2], step, head).data,
                  .w = constant ? vector(op.weight[0]) + channel : at(op.in[3], step, head).data,
                  .w_stride = constant ? 0 : y.stride,
                  .u = u ? u + channel : nullptr,
                  .scale = op.scale,
                  .y = y.data,
                  .state = head_state(op, sequence, head),
                  .stride = y.stride,
                  .tokens = head.rows.end - head.rows.begin,
                  .size = head.width()};
  kernels_.wkv6(h);
}

void Executor::wkv7(const ops::Op& op, const Step& step, const ops::Sequence& sequence,
                    const Part& head) {
  const Matrix y = at(op.out, step, head);
  const auto part = [&](int place) { return at(op.in[place], step, head).data; };
  const Wkv7 h = {.r = part(0),
                  .w = part(1),
                  .k = part(2),
                  .v = part(3),
                  .kk = part(4),
                  .a = part(5),
                  .y = y.data,
                  .state = head_state(op, sequence, head),
                  .stride = y.stride,
                  .tokens = head.rows.end - head.rows.begin,
                  .size = head.width()};
  kernels_.wkv7(h);
}

float* Executor::head_state(const ops::Op& op, const ops::Sequence& sequence,
                            const Part& head) const {
  return ops::host_state(sequence).floats(slot_of(op)) + head.columns.begin * head.width();
}

}  // namespace skein::cpu
