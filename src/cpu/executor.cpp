#include "cpu/executor.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/check.h"
#include "base/finite.h"
#include "cpu/flush.h"
#include "cpu/measure.h"
#include "quant/formats.h"

namespace skein::cpu {
namespace {

using ops::kNone;
using ops::OpKind;
using ops::Step;

// Up to this many tokens norms, too, are divided by columns: each thread adds up whole rows.
constexpr size_t kSmallStep = 4;
// What the system may map with a row of a table: the largest folio of its page cache.
constexpr size_t kFolio = size_t{2} << 20;
static_assert(kSmallStep <= kBlockRows);  // small steps are one block

}  // namespace

Executor::Executor(ops::Program program, PackedWeights weights, const Kernels& kernels,
                   std::shared_ptr<Pool> pool, bool share_every_step)
    : program_(std::move(program)),
      small_(make_schedule(program_, StepSize::small, pool->size())),
      large_(make_schedule(program_, StepSize::large, pool->size())),
      traced_(make_traced_schedule(program_)),
      weights_(std::move(weights)),
      kernels_(kernels),
      pool_(std::move(pool)),
      states_(ops::HostStates::of(program_.slots)),
      turns_(static_cast<size_t>(pool_->size())),
      share_every_step_(share_every_step) {
  find_facts();
  head_ = static_cast<size_t>(&program_.head() - program_.ops.data());
  while (lookups_ < program_.ops.size() && program_.ops[lookups_].kind == OpKind::rows) ++lookups_;
  for (size_t i = lookups_; i < program_.ops.size(); ++i)
    SK_CHECK(program_.ops[i].kind != OpKind::rows);  // run() reads tables first
  job_ = [this](int thread) {
    const FlushSubnormals flush;
    work(*step_, schedule_of(*step_), thread);
  };
}

ops::Work Executor::work_of_token() const {
  ops::Work work;
  for (const ops::Op& op : program_.ops) work += work_of(op, 1, 1, 1);
  return work;
}

bool Executor::alone(size_t tokens) const {
  return !share_every_step_ && token_work_.flops * static_cast<int64_t>(tokens) < kSoloFlops;
}

// What packing and tuning have left.
void Executor::find_facts() {
  token_work_ = work_of_token();
  facts_.weight_bytes = weights_.bytes() + (coarse_ ? coarse_->bytes() : 0);
  facts_.bytes_per_token = token_work_.weight_bytes + token_work_.state_bytes;
  facts_.flops_per_token = token_work_.flops;
  facts_.reads_file = weights_.mapped();
  facts_.skips_zeros = weights_.unpacked_bytes() > 0;
}

ops::DeviceLimits Executor::measure_limits(int passes) {
  ops::DeviceLimits limits = read_limit(kernels_, *pool_, alone(1), weights_, passes);
  limits.multiply_adds = multiply_add_rate(kernels_, *pool_, passes);
  return limits;
}

int64_t Executor::step_bytes(const ops::Program& program, int64_t widest_row, int64_t unpacked,
                             int threads, int64_t tokens) {
  constexpr int64_t kFloat = sizeof(float);
  const ops::Plan plan = make_schedule(program, StepSize::large, threads).plan;
  const int64_t buffers[] = {plan.floats_per_token * tokens * kFloat,
                             plan.local_floats_per_row * kBlockRows * threads * kFloat,
                             kLinearScratch * threads * kFloat, unpacked * threads,
                             QuantisedPlaces(widest_row, threads, tokens, false).bytes()};
  int64_t bytes = 0;
  for (const int64_t one : buffers)
    bytes += static_cast<int64_t>(Buffer::resident(static_cast<size_t>(one)));
  return bytes;
}

const Schedule& Executor::schedule_of(const Step& step) const {
  if (step.trace) return traced_;
  return step.tokens.size() <= kSmallStep ? small_ : large_;
}

Status Executor::reserve(const Step& step) {
  constexpr int64_t kFloat = sizeof(float);
  const auto room = [](Buffer& buffer, int64_t bytes) -> Status {
    if (bytes <= static_cast<int64_t>(buffer.size())) return {};
    buffer = Buffer();  // the old one first, so that both never stand at once
    SK_TRY(buffer, Buffer::make(static_cast<size_t>(bytes)));
    return {};
  };
  const auto tokens = static_cast<int64_t>(step.tokens.size());
  const ops::Plan& plan = schedule_of(step).plan;
  SK_TRY_STATUS(room(arena_, plan.floats_per_token * tokens * kFloat));
  SK_TRY_STATUS(room(blocks_, pool_->size() * plan.local_floats_per_row * kBlockRows * kFloat));
  const int64_t unpacked = weights_.unpacked_bytes() * pool_->size();
  if (tokens > 1 || unpacked > 0)
    SK_TRY_STATUS(room(scratch_, pool_->size() * kLinearScratch * kFloat));
  if (tokens > 1) SK_TRY_STATUS(room(unpacked_, unpacked));
  int64_t widest_row = weights_.widest_row(!step.fast.empty());
  if (step.rough) {
    SK_CHECK(coarse_ && step.outputs.size() == 1);
    const PackedWeight& coarse = coarse_->matrix();
    widest_row = std::max(widest_row, QuantisedRow{coarse.width, coarse.codes.group}.bytes());
  }
  quantised_at_ = QuantisedPlaces(widest_row, pool_->size(), tokens, !step.fast.empty());
  SK_TRY_STATUS(room(quantised_, quantised_at_.bytes()));
  std::fill(turns_.begin(), turns_.end(), 0);
  find_runs(step);
  return {};
}

Status Executor::run(const Step& step) {
  if (step.profile && !clock_) return run_timed(step);
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
  // A trace is taken by one thread and in nobody's turn, so that a sink that throws or computes
  // something itself leaves nobody waiting.
  parts_ = step.trace || alone(step.tokens.size()) ? 1 : pool_->size();
  if (step.trace)
    job_(0);
  else if (parts_ == 1)
    pool_->run_alone(job_);
  else
    SK_TRY_STATUS(pool_->run(job_));
  step_ = nullptr;
  if (step.rough) {
    const float* input = value(head().in[0], step).data;
    std::copy_n(input, coarse_->matrix().width, step.rough->input);
    coarse_->bound(input, step.rough->error);
  }
  if (step.hidden) copy_hidden(step);
  // Matrices may lie in the file as well, and then all of the step has read it.
  if (weights_.mapped() && step.intact && !(*step.intact)()) return shortened();
  return {};
}

void Executor::work(const Step& step, const Schedule& schedule, int thread) {
  for (size_t first = lookups_, end = 0; first < schedule.ops.size(); first = end) {
    end = first + 1;
    while (end < schedule.ops.size() && schedule.ops[end].joined) ++end;
    if (schedule.ops[first].wait_before) barrier();
    // Without wanted outputs a group has no rows; every thread sees the same.
    if (rows_of(program_.ops[first].out, step) == 0) continue;
    if (first == head_ && !step.logits && !step.rough) continue;
    run_group(step, schedule, first, end, thread);
  }
}

void Executor::run_group(const Step& step, const Schedule& schedule, size_t first, size_t end,
                         int thread) {
  const Scheduled& how = schedule.ops[first];
  if (how.split == Split::serial && thread != 0) return;
  const int64_t count = rows_of(program_.ops[first].out, step);
  const Range mine = how.split == Split::rows ? share(count, thread, parts_) : Range{0, count};
  const int64_t block = end - first == 1 ? count : how.block_rows;
  for (int64_t row = mine.begin; row < mine.end; row += block) {
    for (size_t i = first; i < end; ++i) {
      const ops::Op& op = program_.ops[i];
      const Range all = {0, width_of(op.out)};
      const Part part = {.rows = {row, std::min(row + block, mine.end)},
                         .columns = how.split == Split::columns
                                        ? share(all.end, thread, parts_, schedule.ops[i].grain)
                                        : all,
                         .block = row,
                         .thread = thread,
                         .split = how.split};
      const CpuOperation& operation = cpu_operation(op.kind);
      if (part.width() > 0 || operation.meets) {
        const StepClock::Span span(clock_, thread, i);
        operation.run({*this, op, step, part});
      }
      if (step.trace) trace(op, step);
    }
  }
}

void Executor::barrier() {
  if (parts_ > 1) pool_->barrier();
}

Status Executor::lookup(const ops::Op& op, const Step& step) {
  const StoredTensor& table = weights_[op.weight[0]].table;
  const Matrix y = value(op.out, step);
  const int64_t width = table.shape[1];
  const BlockSize block = block_size(table.dtype);
  const int64_t row_bytes = width / block.elements * block.bytes;
  const std::byte* first = table.storage.data() + table.offset / block.elements * block.bytes;
  for (size_t row = 0; row < step.tokens.size(); ++row) {
    SK_TRY_STATUS(quant::decode(
        table.dtype, {first + step.tokens[row] * row_bytes, static_cast<size_t>(row_bytes)},
        {y.data + static_cast<int64_t>(row) * y.stride, static_cast<size_t>(width)}));
    let_go(table.storage,
           static_cast<size_t>(first - table.storage.data()) +
               static_cast<size_t>(step.tokens[row] * row_bytes),
           step);
  }
  if (step.trace) trace(op, step);
  return {};
}

// The system maps what lies around a row with it, 64 KiB or a whole folio of its page cache: with
// some hundred tokens the table would be resident. Mapping it again costs microseconds.
void Executor::let_go(std::span<const std::byte> table, size_t row, const Step& step) {
  if (!step.unread || table.size() <= kFolio) return;
  const size_t begin = row - std::min(row, kFolio);
  (*step.unread)(table.subspan(begin, std::min(row + kFolio, table.size()) - begin));
}

const PackedWeight& Executor::matrix_of(const ops::Op& op, const Step& step) const {
  return step.rough && &op == &head() ? coarse_->matrix() : weights_[op.weight[0]];
}

Executor::Matrix Executor::value(ops::ValueId id, const Step& step) const {
  const auto v = static_cast<size_t>(id);
  if (id == program_.logits)
    return {step.rough ? step.rough->about : step.logits, program_.values[v].width};
  const ops::Plan& plan = schedule_of(step).plan;
  return {arena_.floats() + plan.offset[v] * static_cast<int64_t>(step.tokens.size()),
          plan.size[v]};
}

Executor::Matrix Executor::rows_at(ops::ValueId id, const Step& step, const Part& part) const {
  if (id == kNone) return {nullptr, 0};
  const ops::Plan& plan = schedule_of(step).plan;
  const auto v = static_cast<size_t>(id);
  if (plan.local[v]) {
    // Blocks of a short step lie close together.
    const int64_t rows = std::min<int64_t>(kBlockRows, static_cast<int64_t>(step.tokens.size()));
    const int64_t place = part.thread * plan.local_floats_per_row * kBlockRows +
                          plan.offset[v] * rows + (part.rows.begin - part.block) * plan.size[v];
    return {blocks_.floats() + place, plan.size[v]};
  }
  const Matrix m = value(id, step);
  return {m.data + part.rows.begin * m.stride, m.stride};
}

Executor::Matrix Executor::at(ops::ValueId id, const Step& step, const Part& part) const {
  Matrix m = rows_at(id, step, part);
  if (m.data) m.data += part.columns.begin;
  return m;
}

const float* Executor::vector(ops::WeightId id) const {
  return id == kNone ? nullptr : reinterpret_cast<const float*>(weights_[id].data);
}

int64_t Executor::rows_of(ops::ValueId id, const Step& step) const {
  const bool tokens = program_.value(id).rows == ops::Rows::tokens;
  return static_cast<int64_t>(tokens ? step.tokens.size() : step.outputs.size());
}

void Executor::copy_hidden(const Step& step) const {
  const ops::ValueId id = head().in[0];
  const Matrix m = value(id, step);
  const auto width = static_cast<size_t>(width_of(id));
  for (size_t row = 0; row < step.outputs.size(); ++row) {
    const std::span from(m.data + static_cast<int64_t>(row) * m.stride, width);
    std::copy(from.begin(), from.end(), step.hidden + row * width);
    if (!step.logits && row < step.not_finite.size() && !all_finite(from)) step.not_finite[row] = 1;
  }
}

void Executor::trace(const ops::Op& op, const Step& step) const {
  for (ops::ValueId out = op.out; out < op.out + op.results; ++out) {
    const ops::Value& info = program_.value(out);
    const Matrix m = value(out, step);
    const int64_t rows = rows_of(out, step);
    std::vector<float> copy;
    copy.reserve(static_cast<size_t>(rows * info.width));
    for (int64_t row = 0; row < rows; ++row)
      copy.insert(copy.end(), m.data + row * m.stride, m.data + row * m.stride + info.width);
    (*step.trace)(info, copy);
  }
}

}  // namespace skein::cpu
