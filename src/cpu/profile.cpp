#include "cpu/profile.h"

#include "cpu/executor.h"

namespace skein::cpu {

using ops::kNone;

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
  ops::Work work = ops::work_of(program_, op, tokens, sequences, outputs);
  for (const ops::WeightId weight : op.weight)
    if (weight != kNone) work.weight_bytes += weights_[weight].bytes_read();
  return work;
}

Status Executor::run_timed(const ops::Step& step) {
  StepClock clock(program_.ops.size(), pool_->size());
  const auto begin = std::chrono::steady_clock::now();
  {
    struct Clocked {  // also where it throws
      StepClock*& place;
      ~Clocked() { place = nullptr; }
    } const clocked{clock_ = &clock};
    SK_TRY_STATUS(run(step));
  }
  const auto end = std::chrono::steady_clock::now();
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
