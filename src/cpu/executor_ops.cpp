// The operations: from values and weights to a kernel's arguments.
#include <algorithm>

#include "cpu/executor.h"
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
    if (!kernels_.linear_fast) break;
    if (fast.begin > done) runs_.push_back({{done, fast.begin}, false});
    runs_.push_back({{fast.begin, fast.end}, true});
    done = fast.end;
  }
  if (done < tokens) runs_.push_back({{done, tokens}, false});
}

const std::byte* Executor::prepare_input(const ops::Op& op, const Step& step, const Run& run,
                                         int thread) {
  const PackedWeight& matrix = weights_[op.weight[0]];
  if (matrix.type != PanelType::codes && !run.fast) return nullptr;
  const Matrix x = value(op.in[0], step);
  const float* first = x.data + run.rows.begin * x.stride;
  const int64_t count = run.rows.end - run.rows.begin;
  const auto prepare = [&](std::byte* out, Range rows) {
    if (run.fast)
      kernels_.round_rows({.x = first, .x_stride = x.stride, .in = matrix.width, .out = out}, rows);
    else
      kernels_.quantise({.x = first,
                         .x_stride = x.stride,
                         .row = {.in = matrix.width, .group = matrix.codes.group},
                         .bias = matrix.codes.bias,
                         .out = out},
                        rows);
    return out;
  };
  if (count <= QuantisedPlaces::kOwnRows)
    return prepare(quantised_.data() + quantised_at_.own_at(thread), {0, count});
  std::byte* out =
      quantised_.data() + quantised_at_.shared_at(turns_[static_cast<size_t>(thread)]++);
  prepare(out, share(count, thread, parts_));
  meet();
  return out;
}

void Executor::linear(const ops::Op& op, const Step& step, int thread) {
  if (program_.values[static_cast<size_t>(op.out)].rows == ops::Rows::outputs)
    return linear(op, step, Run{{0, rows_of(op.out, step)}}, thread);
  for (const Run& run : runs_) linear(op, step, run, thread);
}

void Executor::linear(const ops::Op& op, const Step& step, const Run& run, int thread) {
  const PackedWeight& matrix = weights_[op.weight[0]];
  const Matrix x = value(op.in[0], step), y = value(op.out, step);
  // There is none before the first step of several tokens, and one token needs none.
  float* scratch = scratch_.size() ? scratch_.floats() + thread * kLinearScratch : nullptr;
  const Linear l = {.panels = matrix.data,
                    .type = matrix.type,
                    .codes = matrix.codes,
                    .in = matrix.width,
                    .out = matrix.rows,
                    .bias = vector(op.weight[1]),
                    .function = op.function,
                    .x = x.data + run.rows.begin * x.stride,
                    .x_stride = x.stride,
                    .quantised = prepare_input(op, step, run, thread),
                    .y = y.data + run.rows.begin * y.stride,
                    .y_stride = y.stride,
                    .tokens = run.rows.end - run.rows.begin,
                    .scratch = scratch};
  const Range panels = share((matrix.rows + kPanel - 1) / kPanel, thread, parts_);
  run.fast ? kernels_.linear_fast(l, panels) : kernels_.linear(l, panels);
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

void Executor::pick(const ops::Op& op, const Step& step) {
  const Matrix x = value(op.in[0], step), y = value(op.out, step);
  for (size_t o = 0; o < step.outputs.size(); ++o)
    std::copy_n(x.data + step.outputs[o] * x.stride, x.stride,
                y.data + static_cast<int64_t>(o) * y.stride);
}

void Executor::shift(const ops::Op& op, const Step& step, Range rows) {
  const Matrix x = value(op.in[0], step), y = value(op.out, step);
  const ops::Slot& slot = program_.slots[static_cast<size_t>(op.slot)];
  for (const ops::Sequence& sequence : step.sequences) {
    float* memory = sequence.state + slot.offset;
    const int64_t begin = std::max<int64_t>(sequence.begin, rows.begin);
    const int64_t end = std::min<int64_t>(sequence.end, rows.end);
    for (int64_t row = begin; row < end; ++row)
      std::copy_n(row == sequence.begin ? memory : x.data + (row - 1) * x.stride, slot.size,
                  y.data + row * y.stride);
  }
  // The memory is replaced by whoever has a sequence's first row, which is the only reader of the
  // old one: it comes after that read, whoever has the last row.
  for (const ops::Sequence& sequence : step.sequences)
    if (sequence.begin >= rows.begin && sequence.begin < rows.end)
      std::copy_n(x.data + (sequence.end - 1) * x.stride, slot.size, sequence.state + slot.offset);
}

void Executor::normalise(const ops::Op& op, const Step& step, Range rows) {
  const Matrix x = value(op.in[0], step), y = value(op.out, step);
  const Norm n = {.x = x.data,
                  .y = y.data,
                  .stride = x.stride,
                  .width = width_of(op.out),
                  .groups = op.heads,
                  .weight = vector(op.weight[0]),
                  .bias = vector(op.weight[1]),
                  .epsilon = op.epsilon};
  kernels_.norm(n, rows);
}

void Executor::elementwise(const ops::Op& op, const Step& step, Range rows) {
  const Matrix a = value(op.in[0], step);
  const bool lerp = op.kind == OpKind::lerp;
  const bool shared = op.weight[0] != kNone;
  const float* weight = vector(op.weight[0]);
  const float* b = value(op.in[1], step).data;
  const Elementwise e = {.kind = op.kind,
                         .function = op.function,
                         .a = a.data,
                         .b = lerp || !shared ? b : weight,
                         .t = lerp ? (shared ? weight : value(op.in[2], step).data) : nullptr,
                         .shared = shared,
                         .y = value(op.out, step).data,
                         .stride = a.stride,
                         .width = width_of(op.out)};
  kernels_.elementwise(e, rows);
}

void Executor::bonus(const ops::Op& op, const Step& step, Range rows) {
  const Matrix r = value(op.in[0], step);
  const Bonus b = {.r = r.data,
                   .k = value(op.in[1], step).data,
                   .v = value(op.in[2], step).data,
                   .u = vector(op.weight[0]),
                   .y = value(op.out, step).data,
                   .stride = r.stride,
                   .width = width_of(op.out),
                   .heads = op.heads};
  kernels_.bonus(b, rows);
}

void Executor::repeat_heads(const ops::Op& op, const Step& step, Range rows) {
  const Matrix x = value(op.in[0], step), y = value(op.out, step);
  const int64_t size = width_of(op.out) / op.heads;
  const int64_t repeats = width_of(op.out) / width_of(op.in[0]);
  for (int64_t row = rows.begin; row < rows.end; ++row)
    for (int64_t head = 0; head < op.heads; ++head)
      std::copy_n(x.data + row * x.stride + head / repeats * size, size,
                  y.data + row * y.stride + head * size);
}

void Executor::token_matmul(const ops::Op& op, const Step& step, Range rows) {
  const Matrix x = value(op.in[0], step), m = value(op.in[1], step), y = value(op.out, step);
  const TokenMatmul p = {.x = x.data,
                         .x_stride = x.stride,
                         .m = m.data,
                         .m_stride = m.stride,
                         .y = y.data,
                         .y_stride = y.stride,
                         .in = width_of(op.in[0]),
                         .out = width_of(op.out)};
  kernels_.token_matmul(p, rows);
}

void Executor::recurrence(const ops::Op& op, const Step& step, int thread) {
  const int64_t width = width_of(op.out);
  const int64_t units = op.kind == OpKind::wkv4 ? (width + 15) / 16 : op.heads;
  // This thread's stretch of all sequences' units, one sequence at a time.
  const Range mine = share(units * static_cast<int64_t>(step.sequences.size()), thread, parts_);
  for (int64_t at = mine.begin; at < mine.end;) {
    const int64_t first = at / units * units;
    const ops::Sequence& sequence = step.sequences[static_cast<size_t>(at / units)];
    const Range part = {at - first, std::min(mine.end - first, units)};
    if (op.kind == OpKind::wkv4) {
      wkv4(op, step, sequence, part);
    } else {
      for (int64_t head = part.begin; head < part.end; ++head)
        op.kind == OpKind::wkv6 ? wkv6(op, step, sequence, head) : wkv7(op, step, sequence, head);
    }
    at = first + part.end;
  }
}

void Executor::wkv4(const ops::Op& op, const Step& step, const ops::Sequence& sequence,
                    Range blocks) {
  const int64_t width = width_of(op.out), stride = value(op.out, step).stride;
  const int64_t at = sequence.begin * stride;
  float* state = sequence.state + program_.slots[static_cast<size_t>(op.slot)].offset;
  const Wkv4 c = {.k = value(op.in[0], step).data + at,
                  .v = value(op.in[1], step).data + at,
                  .w = vector(op.weight[0]),
                  .u = vector(op.weight[1]),
                  .y = value(op.out, step).data + at,
                  .aa = state,
                  .bb = state + width,
                  .pp = state + 2 * width,
                  .stride = stride,
                  .tokens = sequence.end - sequence.begin,
                  .width = width};
  kernels_.wkv4(c, blocks);
}

void Executor::wkv6(const ops::Op& op, const Step& step, const ops::Sequence& sequence,
                    int64_t head) {
  const int64_t size = width_of(op.out) / op.heads, channel = head * size;
  const int64_t stride = value(op.out, step).stride, at = sequence.begin * stride + channel;
  const bool constant = op.in[3] == kNone;
  const float* u = vector(op.weight[1]);
  const float* w = constant ? vector(op.weight[0]) + channel : value(op.in[3], step).data + at;
  const Wkv6 h = {.r = value(op.in[0], step).data + at,
                  .k = value(op.in[1], step).data + at,
                  .v = value(op.in[2], step).data + at,
                  .w = w,
                  .w_stride = constant ? 0 : stride,
                  .u = u ? u + channel : nullptr,
                  .scale = op.scale,
                  .y = value(op.out, step).data + at,
                  .state = head_state(op, sequence, head, size),
                  .stride = stride,
                  .tokens = sequence.end - sequence.begin,
                  .size = size};
  kernels_.wkv6(h);
}

void Executor::wkv7(const ops::Op& op, const Step& step, const ops::Sequence& sequence,
                    int64_t head) {
  const int64_t size = width_of(op.out) / op.heads;
  const int64_t stride = value(op.out, step).stride, at = sequence.begin * stride + head * size;
  const auto part = [&](int place) { return value(op.in[place], step).data + at; };
  const Wkv7 h = {.r = part(0),
                  .w = part(1),
                  .k = part(2),
                  .v = part(3),
                  .kk = part(4),
                  .a = part(5),
                  .y = value(op.out, step).data + at,
                  .state = head_state(op, sequence, head, size),
                  .stride = stride,
                  .tokens = sequence.end - sequence.begin,
                  .size = size};
  kernels_.wkv7(h);
}

float* Executor::head_state(const ops::Op& op, const ops::Sequence& sequence, int64_t head,
                            int64_t size) const {
  return sequence.state + program_.slots[static_cast<size_t>(op.slot)].offset + head * size * size;
}

}  // namespace skein::cpu
