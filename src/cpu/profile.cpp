#include "cpu/profile.h"

#include <algorithm>

#include "cpu/executor.h"

namespace skein::cpu {

using ops::kNone;
using ops::OpKind;

StepClock::StepClock(size_t operations, int threads)
    : times_(static_cast<size_t>(threads), std::vector<Duration>(operations, kNever)) {}

bool StepClock::ran(size_t operation) const {
  for (const auto& thread : times_)
    if (thread[operation] != kNever) return true;
  return false;
}

double StepClock::seconds(size_t operation) const {
  Duration sum{};
  int threads = 0;
  for (const auto& thread : times_)
    if (thread[operation] != kNever) sum += thread[operation], ++threads;
  return threads > 0 ? std::chrono::duration<double>(sum).count() / threads : 0;
}

ops::Work Executor::work_of(const ops::Op& op, int64_t tokens, int64_t sequences,
                            int64_t outputs) const {
  constexpr int64_t kFloat = sizeof(float);
  const auto floats = [&](ops::ValueId id) {
    if (id == kNone) return int64_t{0};
    const bool wanted = program_.values[static_cast<size_t>(id)].rows == ops::Rows::outputs;
    return width_of(id) * (wanted ? outputs : tokens);
  };
  ops::Work work;
  for (const ops::WeightId weight : op.weight)
    if (weight != kNone) work.weight_bytes += weights_[weight].bytes_read();
  work.value_bytes = kFloat * floats(op.out);
  // Of what pick leaves out nothing is read.
  for (const ops::ValueId in : op.in)
    work.value_bytes +=
        kFloat * (op.kind == OpKind::pick ? std::min(floats(in), floats(op.out)) : floats(in));
  if (op.slot != kNone) {
    const int64_t parts = op.kind == OpKind::wkv4 ? 3 : 1;
    work.state_bytes = 2 * parts * slot_of(op).bytes() * sequences;
  }
  const int64_t width = width_of(op.out), all = floats(op.out);
  switch (op.kind) {
    case OpKind::linear: work.flops = 2 * all * weights_[op.weight[0]].width; break;
    case OpKind::token_matmul: work.flops = 2 * all * width_of(op.in[0]); break;
    case OpKind::wkv4: work.flops = 64 * all; break;  // 22 in each of two exponentials, 20 around
    case OpKind::wkv6: work.flops = 5 * all * (width / op.heads); break;
    case OpKind::wkv7: work.flops = 9 * all * (width / op.heads); break;
    default: break;  // small beside these
  }
  return work;
}

Status Executor::execute_timed(const ops::Step& step) {
  StepClock clock(program_.ops.size(), pool_->size());
  clock_ = &clock;
  const auto begin = std::chrono::steady_clock::now();
  const Status status = execute(step);
  const auto end = std::chrono::steady_clock::now();
  clock_ = nullptr;
  SK_TRY_STATUS(status);
  ops::Profile& profile = *step.profile;
  profile.seconds += std::chrono::duration<double>(end - begin).count();
  for (size_t i = 0; i < program_.ops.size(); ++i) {
    if (!clock.ran(i)) continue;
    const ops::Op& op = program_.ops[i];
    profile.entries.push_back({.kind = op.kind,
                               .weight = op.weight[0],
                               .seconds = clock.seconds(i),
                               .work = work_of(op, static_cast<int64_t>(step.tokens.size()),
                                               static_cast<int64_t>(step.sequences.size()),
                                               static_cast<int64_t>(step.outputs.size()))});
  }
  return {};
}

}  // namespace skein::cpu
