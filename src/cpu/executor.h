// Runs a program on the CPU's threads.
#pragma once

#include <memory>
#include <optional>

#include "base/pool.h"
#include "cpu/coarse_head.h"
#include "cpu/kernels.h"
#include "cpu/operations.h"
#include "cpu/profile.h"
#include "cpu/schedule.h"
#include "cpu/weights.h"
#include "ops/backend.h"
#include "ops/host_states.h"

namespace skein::cpu {

// Activations as QuantisedRow or FastRow. Of a few tokens every thread makes its own
// copy, which is cheaper than to wait for others; of more they make one together, in two places in
// turn: whoever is ahead writes where nobody reads any more, since all have met meanwhile.
struct QuantisedPlaces {
  static constexpr int64_t kOwnRows = 4;
  static constexpr int64_t kRowsMultiple = 32;  // AMX tiles read whole ones, two at a time

  int64_t row = 0;  // bytes of the widest
  int64_t threads = 1;
  int64_t shared = 0;  // bytes of a shared place

  QuantisedPlaces() = default;
  QuantisedPlaces(int64_t row_bytes, int64_t thread_count, int64_t tokens, bool fast)
      : row(row_bytes),
        threads(thread_count),
        shared(tokens <= kOwnRows && !fast
                   ? 0
                   : (tokens + kRowsMultiple - 1) / kRowsMultiple * kRowsMultiple * row_bytes) {}
  int64_t own_at(int64_t thread) const { return thread * kOwnRows * row; }
  int64_t shared_at(int turn) const { return own_at(threads) + turn % 2 * shared; }
  int64_t bytes() const { return shared_at(0) + 2 * shared; }
};

// A step of fewer operations than this is done by the caller's thread alone: at some 80 GFLOP/s it
// takes 100 us, no longer than the barriers of several threads would, and on a busy machine a
// barrier can cost a time slice.
inline constexpr int64_t kSoloFlops = 8'000'000;

inline Status shortened() {
  return fail(Code::io, "the model file became shorter while it is in use");
}

class Executor final : public ops::Executable {
 public:
  // What a step of `tokens` needs besides the weights; `widest_row` and `unpacked` as PackedWeights
  // has them.
  static int64_t step_bytes(const ops::Program& program, int64_t widest_row, int64_t unpacked,
                            int threads, int64_t tokens);

  Executor(ops::Program program, PackedWeights weights, const Kernels& kernels,
           std::shared_ptr<Pool> pool, bool share_every_step);

  Status run(const ops::Step& step) override;
  std::shared_ptr<ops::StatePool> states() const override { return states_; }
  bool takes(const ops::DeviceState& state) const override { return states_->is_like(state); }
  const Facts& facts() const override { return facts_; }
  ops::SecondPlane* second_plane() override { return plane_.get(); }
  ops::DeviceLimits measure_limits(int passes) override;

  // What a compiled program still chooses (cpu/tuning.cpp): records, a second plane. Errors:
  // memory.
  Status tune(const ops::CompileOptions& options);

  // For the operations (cpu/operations.h).
  struct Matrix {
    float* data;
    int64_t stride;
  };
  Matrix value(ops::ValueId id, const ops::Step& step) const;  // all of it; not of local values
  // A value from the first row of a part on, and from its first column on.
  Matrix rows_at(ops::ValueId id, const ops::Step& step, const Part& part) const;
  Matrix at(ops::ValueId id, const ops::Step& step, const Part& part) const;
  const float* vector(ops::WeightId id) const;
  const ops::Program& program() const { return program_; }
  const Kernels& kernels() const { return kernels_; }
  int parts() const { return parts_; }
  static void linear(const OpPart& o);

 private:
  friend class HeadPlane;
  int64_t width_of(ops::ValueId id) const { return program_.value(id).width; }
  int64_t rows_of(ops::ValueId id, const ops::Step& step) const;
  const ops::Op& head() const { return program_.ops[head_]; }
  // A product's matrix: the head's may be the coarse one.
  const PackedWeight& matrix_of(const ops::Op& op, const ops::Step& step) const;
  Status reserve(const ops::Step& step);
  Status run_timed(const ops::Step& step);
  // Of a step of so many tokens, sequences and wanted outputs.
  ops::Work work_of(const ops::Op& op, int64_t tokens, int64_t sequences, int64_t outputs) const;
  ops::Work work_of_token() const;
  void find_facts();
  Status choose_sparse(ops::Sparse choice);
  Result<double> share_of_zeros_left();
  Status choose_planes(ops::TwoPlane choice);
  ops::SecondPlaneCost plane_cost() const;
  Status make_plane();
  Status exact_logits(const float* input, std::span<const int32_t> groups, float* logits,
                      const std::function<bool()>& intact);
  bool alone(size_t tokens) const;
  void barrier();  // all threads of this step

  const Schedule& schedule_of(const ops::Step& step) const;
  void work(const ops::Step& step, const Schedule& schedule, int thread);
  // Operations [first, end) of the schedule, which are joined.
  void run_group(const ops::Step& step, const Schedule& schedule, size_t first, size_t end,
                 int thread);
  // Rows of a product that are computed in the same way.
  struct Run {
    Range rows;
    bool fast = false;
  };
  void find_runs(const ops::Step& step);
  void multiply(const ops::Op& op, const ops::Step& step, const Run& run, const Part& part);
  // Marks rows of logits that have other than finite numbers in these columns.
  void check_logits(const ops::Step& step, Range columns) const;
  // With a matrix in records.
  void multiply_records(const Linear& l, const Run& run, Range panels, int thread);
  // A product's input as its kernel takes it, where that is not f32.
  const std::byte* prepare_input(const ops::Op& op, const ops::Step& step, const Run& run,
                                 int thread);
  Status lookup(const ops::Op& op, const ops::Step& step);
  static void let_go(std::span<const std::byte> table, size_t row, const ops::Step& step);
  void copy_hidden(const ops::Step& step) const;
  void trace(const ops::Op& op, const ops::Step& step) const;

  ops::Program program_;
  Schedule small_;
  Schedule large_;
  Schedule traced_;
  PackedWeights weights_;
  std::unique_ptr<ops::SecondPlane> plane_;  // where there may be one
  std::optional<CoarseHead> coarse_;         // once it is made
  Facts facts_;
  const Kernels& kernels_;
  std::shared_ptr<Pool> pool_;
  std::shared_ptr<ops::HostStates> states_;
  Buffer arena_;
  Buffer scratch_;                // kLinearScratch floats for each thread
  Buffer unpacked_;               // weights_.unpacked_bytes() for each thread
  QuantisedPlaces quantised_at_;  // in quantised_
  Buffer quantised_;
  std::vector<int> turns_;        // of each thread, in the shared places
  std::vector<Run> runs_;         // of this step's tokens, in order
  Buffer blocks_;                 // each thread's block of the values that only a group touches
  std::function<void(int)> job_;  // kept, so that a step need not make one
  bool share_every_step_;
  ops::Work token_work_;  // of a decode step of one sequence
  size_t head_ = 0;       // the operation that makes the logits
  size_t lookups_ = 0;    // operations at the start of the program that read tables
  const ops::Step* step_ = nullptr;
  StepClock* clock_ = nullptr;  // while a profile is wanted
  int parts_ = 1;               // threads that share this step
};

}  // namespace skein::cpu
