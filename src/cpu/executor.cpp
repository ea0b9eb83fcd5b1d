#include "cpu/executor.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "cpu/flush.h"
#include "cpu/measure.h"

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

Status shortened() { return fail(Code::io, "the model file became shorter while it is in use"); }

}  // namespace

Executor::Executor(ops::Program program, PackedWeights weights, const Kernels& kernels,
                   std::shared_ptr<Pool> pool, bool share_every_step)
    : program_(std::move(program)),
      plan_(ops::make_plan(program_)),
      small_(make_schedule(program_, plan_, true)),
      large_(make_schedule(program_, plan_, false)),
      weights_(std::move(weights)),
      kernels_(kernels),
      pool_(std::move(pool)),
      turns_(static_cast<size_t>(pool_->size())),
      share_every_step_(share_every_step) {
  for (const ops::Op& op : program_.ops) token_work_ += work_of(op, 1, 1, 1);
  while (lookups_ < program_.ops.size() && program_.ops[lookups_].kind == OpKind::rows) ++lookups_;
  for (size_t i = lookups_; i < program_.ops.size(); ++i)
    SK_CHECK(program_.ops[i].kind != OpKind::rows);  // run() reads tables first
  job_ = [this](int thread) {
    const FlushSubnormals flush;
    const bool is_small = step_->tokens.size() <= kSmallStep;
    work(*step_, is_small ? small_ : large_, thread);
  };
}

bool Executor::alone(size_t tokens) const {
  return !share_every_step_ && token_work_.flops * static_cast<int64_t>(tokens) < kSoloFlops;
}

ops::DeviceLimits Executor::measure_limits(int passes) {
  ops::DeviceLimits limits = read_limit(kernels_, *pool_, alone(1), weights_, passes);
  limits.multiply_adds = multiply_add_rate(kernels_, *pool_, passes);
  return limits;
}

Status Executor::reserve(const Step& step) {
  const size_t arena =
      static_cast<size_t>(plan_.floats_per_token) * step.tokens.size() * sizeof(float);
  if (arena > arena_.size()) {
    arena_ = Buffer();  // the old one first, so that both never stand at once
    SK_TRY(arena_, Buffer::make(arena));
  }
  const QuantisedPlaces quantised(weights_.widest_row(), pool_->size(),
                                  static_cast<int64_t>(step.tokens.size()));
  if (quantised.bytes() > static_cast<int64_t>(quantised_.size())) {
    quantised_ = Buffer();
    SK_TRY(quantised_, Buffer::make(static_cast<size_t>(quantised.bytes())));
  }
  quantised_at_ = quantised;
  std::fill(turns_.begin(), turns_.end(), 0);
  find_runs(step);
  if (step.tokens.size() > 1 && scratch_.size() == 0) {
    SK_TRY(scratch_,
           Buffer::make(static_cast<size_t>(pool_->size()) * kLinearScratch * sizeof(float)));
  }
  return {};
}

Status Executor::run(const Step& step) {
  return step.profile ? execute_timed(step) : execute(step);
}

Status Executor::execute(const Step& step) {
  SK_CHECK(!step.tokens.empty() && !step.sequences.empty());
  SK_TRY_STATUS(reserve(step));
  step_ = &step;
  // Tables lie in the mapped file, which others may cut. Everything that is needed of them is read
  // before the first operation that changes a state.
  for (size_t i = 0; i < lookups_; ++i) {
    const StepClock::Span span(clock_, 0, i);
    SK_TRY_STATUS(lookup(program_.ops[i], step));
  }
  if (step.intact && !(*step.intact)()) return shortened();
  // A trace is taken by one thread, so that a sink that throws leaves nobody waiting.
  parts_ = step.trace || alone(step.tokens.size()) ? 1 : pool_->size();
  if (parts_ == 1)
    job_(0);
  else
    pool_->run(job_);
  step_ = nullptr;
  // Matrices may lie in the file as well, and then all of the step has read it.
  if (weights_.mapped() && step.intact && !(*step.intact)()) return shortened();
  return {};
}

void Executor::work(const Step& step, std::span<const Scheduled> schedule, int thread) {
  for (size_t i = lookups_; i < schedule.size(); ++i) {
    const ops::Op& op = program_.ops[i];
    if (rows_of(op.out, step) == 0) continue;  // no outputs wanted; every thread sees the same
    if (schedule[i].wait_before) meet();
    if (schedule[i].split != Split::serial || thread == 0) {
      const StepClock::Span span(clock_, thread, i);
      run_op(op, step, schedule[i].split, thread);
    }
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
    case OpKind::wkv4:
    case OpKind::wkv6:
    case OpKind::wkv7: return recurrence(op, step, thread);
    case OpKind::rows: return;  // done by run()
    case OpKind::pick: return pick(op, step);
    case OpKind::shift: return shift(op, step, rows);
    case OpKind::layer_norm:
    case OpKind::rms_norm:
    case OpKind::group_norm:
    case OpKind::l2norm_heads: return normalise(op, step, rows);
    case OpKind::repeat_heads: return repeat_heads(op, step, rows);
    case OpKind::token_matmul: return token_matmul(op, step, rows);
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

int64_t Executor::width_of(ops::ValueId id) const {
  return program_.values[static_cast<size_t>(id)].width;
}

int64_t Executor::rows_of(ops::ValueId id, const Step& step) const {
  const bool tokens = program_.values[static_cast<size_t>(id)].rows == ops::Rows::tokens;
  return static_cast<int64_t>(tokens ? step.tokens.size() : step.outputs.size());
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
