#include "cpu/backend.h"

#include <algorithm>

#include "cpu/dispatch.h"
#include "cpu/executor.h"

namespace skein::cpu {
namespace {

class CpuBackend final : public ops::Backend {
 public:
  CpuBackend(const Kernels& kernels, int threads, bool share_every_step)
      : kernels_(kernels),
        pool_(std::make_shared<Pool>(threads)),
        share_every_step_(share_every_step) {}

  std::string describe() const override {
    const int threads = pool_->size();
    return fmt::format("CPU, {}, {} {}", kernels_.title, threads,
                       threads == 1 ? "thread" : "threads");
  }

  ops::Outlook outlook(const ops::Program& program, std::span<const ops::WeightData> weights,
                       int64_t tokens) const override {
    const int threads = pool_->size();
    ops::Outlook out;
    out.memory.host = {
        .weights = PackedWeights::resident_bytes(weights),
        .packing = PackedWeights::scratch_bytes(weights),
        .step = Executor::step_bytes(program, PackedWeights::widest_row(weights), threads, tokens) +
                PackedWeights::widest_unpacked(weights) * threads,
        .state = ops::HostStates::of(program.slots)->bytes_each()};
    out.fast_rows = std::any_of(weights.begin(), weights.end(), [&](const ops::WeightData& weight) {
      return weight.present && weight.use == ops::WeightUse::matrix &&
             kernels_.is_fast_for(packing_of(weight).type);
    });
    if (CoarseHead::possible(program)) {
      const auto& head = weights[static_cast<size_t>(program.head().weight[0])];
      out.second_plane =
          CoarseHead::cost(packing_of(head).type, head.tensor.shape[0], head.tensor.shape[1]);
    }
    return out;
  }

  Result<std::unique_ptr<ops::Executable>> compile(const ops::Program& program,
                                                   std::span<const ops::WeightData> weights,
                                                   const ops::CompileOptions& options) override {
    SK_TRY(PackedWeights packed,
           PackedWeights::pack(weights, *pool_, options.done, options.progress));
    auto executor =
        std::make_unique<Executor>(program, std::move(packed), kernels_, pool_, share_every_step_);
    SK_TRY_STATUS(executor->tune(options));
    return executor;
  }

 private:
  const Kernels& kernels_;
  std::shared_ptr<Pool> pool_;
  bool share_every_step_;
};

}  // namespace

Result<std::unique_ptr<ops::Backend>> make_backend(const Options& options) {
  SK_TRY(const Kernels* chosen, kernels(options.isa));
  SK_TRY(const int threads, thread_count(options.threads));
  return std::make_unique<CpuBackend>(*chosen, threads, options.share_every_step);
}

}  // namespace skein::cpu
