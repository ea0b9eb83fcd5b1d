#include "cpu/executor.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "cpu/flush.h"
#include "cpu/measure.h"
#include "quant/formats.h"

namespace skein::cpu {
namespace {

using ops::kNone;
using ops::OpKind;
using ops::Step;

// Up to this many tokens thread 0 does the work on rows alone: sharing a few thousand elements
// costs more in meetings than it saves.
constexpr size_t kSmallStep = 4;

// A step of fewer operations than this is done by the caller's thread alone: at some 50 GFLOP/s it
// takes 80 us, no longer than the meetings of several threads would, and on a busy machine a
// meeting can cost a time slice.
constexpr int64_t kSoloFlops = 4'000'000;

}  // namespace

Executor::Executor(ops::Program program, PackedWeights weights, const Kernels& kernels,
                   std::shared_ptr<Pool> pool)
    : program_(std::move(program)),
      plan_(ops::make_plan(program_)),
      small_(make_schedule(program_, plan_, true)),
      large_(make_schedule(program_, plan_, false)),
      weights_(std::move(weights)),
      kernels_(kernels),
      pool_(std::move(pool)) {
  flops_per_token_ = count_flops();
  while (lookups_ < program_.ops.size() && program_.ops[lookups_].kind == OpKind::rows) ++lookups_;
  for (size_t i = lookups_; i < program_.ops.size(); ++i)
    SK_CHECK(program_.ops[i].kind != OpKind::rows);  // run() reads tables first
  job_ = [this](int thread) {
    const FlushSubnormals flush;
    const bool is_small = step_->tokens.size() <= kSmallStep;
    work(*step_, is_small ? small_ : large_, thread);
  };
}

int64_t Executor::bytes_per_token() const {
  int64_t bytes = 2 * program_.state_size() * int64_t{sizeof(float)};  // read and written
  for (const PackedWeight& weight : weights_.all()) {
    if (weight.use == ops::WeightUse::table) continue;
    const bool half = weight.use == ops::WeightUse::matrix && weight.type != PanelType::f32;
    bytes += weight.rows * weight.width * (half ? 2 : 4);
  }
  return bytes;
}

bool Executor::alone(size_t tokens) const {
  return flops_per_token_ * static_cast<int64_t>(tokens) < kSoloFlops;
}

ops::DeviceLimits Executor::measure_limits(int passes) {
  return {.read_bandwidth = read_rate(kernels_, *pool_, alone(1), weights_.memory(), passes),
          .multiply_adds = multiply_add_rate(kernels_, *pool_, passes)};
}

int64_t Executor::count_flops() const {
  int64_t flops = 0;
  for (const ops::Op& op : program_.ops) {
    const int64_t width = program_.values[static_cast<size_t>(op.out)].width;
    if (op.kind == OpKind::linear) flops += 2 * width * weights_[op.weight[0]].width;
    if (op.kind == OpKind::wkv7) flops += 9 * width * (width / op.heads);
  }
  return flops;
}

Status Executor::reserve(const Step& step) {
  const size_t arena =
      static_cast<size_t>(plan_.floats_per_token) * step.tokens.size() * sizeof(float);
  if (arena > arena_.size()) {
    arena_ = Buffer();  // the old one first, so that both never stand at once
    SK_TRY(arena_, Buffer::make(arena));
  }
  if (step.tokens.size() > 1 && scratch_.size() == 0) {
    SK_TRY(scratch_,
           Buffer::make(static_cast<size_t>(pool_->size()) * kLinearScratch * sizeof(float)));
  }
  return {};
}

Status Executor::run(const Step& step) {
  SK_CHECK(!step.tokens.empty() && !step.sequences.empty());
  SK_TRY_STATUS(reserve(step));
  step_ = &step;
  // Tables lie in the mapped file, which others may cut. Everything that is needed of them is read
  // before the first operation that changes a state.
  for (size_t i = 0; i < lookups_; ++i) SK_TRY_STATUS(lookup(program_.ops[i], step));
  if (step.intact && !(*step.intact)())
    return fail(Code::io, "the model file became shorter while it is in use");
  // A trace is taken by one thread, so that a sink that throws leaves nobody waiting.
  parts_ = step.trace || alone(step.tokens.size()) ? 1 : pool_->size();
  if (parts_ == 1)
    job_(0);
  else
    pool_->run(job_);
  step_ = nullptr;
  return {};
}

void Executor::work(const Step& step, std::span<const Scheduled> schedule, int thread) {
  for (size_t i = lookups_; i < schedule.size(); ++i) {
    const ops::Op& op = program_.ops[i];
    if (rows_of(op.out, step) == 0) continue;  // no outputs wanted; every thread sees the same
    if (schedule[i].wait_before) meet();
    if (schedule[i].split != Split::serial || thread == 0)
      run_op(op, step, schedule[i].split, thread);
    if (step.trace) trace(op, step);
  }
}

void Executor::meet() {
  if (parts_ > 1) pool_->barrier();
}

void Executor::run_op(const ops::Op& op, const Step& step, Split split, int thread) {
  const int64_t count = rows_of(op.out, step);
  const Range rows = split == Split::rows ? share(count, thread, parts_) : Range{0, count};
  switch (op.kind) {
    case OpKind::linear: return linear(op, step, thread);
    case OpKind::wkv7: return wkv7(op, step, thread);
    case OpKind::rows: return;  // done by run()
    case OpKind::pick: return pick(op, step);
    case OpKind::shift: return shift(op, step, rows);
    case OpKind::layer_norm:
    case OpKind::group_norm:
    case OpKind::l2norm_heads: return normalise(op, step, rows);
    case OpKind::bonus: return bonus(op, step, rows);
    case OpKind::lerp:
    case OpKind::add:
    case OpKind::sub:
    case OpKind::mul:
    case OpKind::unary: return elementwise(op, step, rows);
  }
}

Executor::Matrix Executor::value(ops::ValueId id, const Step& step) const {
  if (id == kNone) return {nullptr, 0};
  const auto v = static_cast<size_t>(id);
  if (id == program_.logits) return {step.logits, program_.values[v].width};
  return {arena_.floats() + plan_.offset[v] * static_cast<int64_t>(step.tokens.size()),
          plan_.size[v]};
}

const float* Executor::vector(ops::WeightId id) const {
  return id == kNone ? nullptr : reinterpret_cast<const float*>(weights_[id].data);
}

int64_t Executor::rows_of(ops::ValueId id, const Step& step) const {
  const bool tokens = program_.values[static_cast<size_t>(id)].rows == ops::Rows::tokens;
  return static_cast<int64_t>(tokens ? step.tokens.size() : step.outputs.size());
}

void Executor::linear(const ops::Op& op, const Step& step, int thread) {
  const PackedWeight& matrix = weights_[op.weight[0]];
  const Matrix x = value(op.in[0], step), y = value(op.out, step);
  // There is none before the first step of several tokens, and one token needs none.
  float* scratch = scratch_.size() ? scratch_.floats() + thread * kLinearScratch : nullptr;
  const Linear l = {.panels = matrix.data,
                    .type = matrix.type,
                    .in = matrix.width,
                    .out = matrix.rows,
                    .bias = vector(op.weight[1]),
                    .function = op.function,
                    .x = x.data,
                    .x_stride = x.stride,
                    .y = y.data,
                    .y_stride = y.stride,
                    .tokens = rows_of(op.out, step),
                    .scratch = scratch};
  kernels_.linear(l, share((matrix.rows + kPanel - 1) / kPanel, thread, parts_));
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
                  .width = program_.values[static_cast<size_t>(op.out)].width,
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
                         .width = program_.values[static_cast<size_t>(op.out)].width};
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
                   .width = program_.values[static_cast<size_t>(op.out)].width,
                   .heads = op.heads};
  kernels_.bonus(b, rows);
}

void Executor::wkv7(const ops::Op& op, const Step& step, int thread) {
  const int64_t width = program_.values[static_cast<size_t>(op.out)].width;
  const int64_t size = width / op.heads;
  const ops::Slot& slot = program_.slots[static_cast<size_t>(op.slot)];
  const int64_t stride = value(op.in[0], step).stride;
  const auto sequences = static_cast<int64_t>(step.sequences.size());
  const Range share_of_heads = share(sequences * op.heads, thread, parts_);
  for (int64_t item = share_of_heads.begin; item < share_of_heads.end; ++item) {
    const ops::Sequence& sequence = step.sequences[static_cast<size_t>(item / op.heads)];
    const int64_t head = item % op.heads;
    const int64_t at = sequence.begin * stride + head * size;
    const auto part = [&](int place) { return value(op.in[place], step).data + at; };
    const Wkv7 h = {.r = part(0),
                    .w = part(1),
                    .k = part(2),
                    .v = part(3),
                    .kk = part(4),
                    .a = part(5),
                    .y = value(op.out, step).data + at,
                    .state = sequence.state + slot.offset + head * size * size,
                    .stride = stride,
                    .tokens = sequence.end - sequence.begin,
                    .size = size};
    kernels_.wkv7(h);
  }
}

void Executor::trace(const ops::Op& op, const Step& step) const {
  const ops::Value& info = program_.values[static_cast<size_t>(op.out)];
  const Matrix m = value(op.out, step);
  const int64_t rows = rows_of(op.out, step);
  std::vector<float> copy;
  copy.reserve(static_cast<size_t>(rows * info.width));
  for (int64_t row = 0; row < rows; ++row)
    copy.insert(copy.end(), m.data + row * m.stride, m.data + row * m.stride + info.width);
  (*step.trace)(info, copy);
}

}  // namespace skein::cpu
