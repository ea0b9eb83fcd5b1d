#include "cpu/backend.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "cpu/dispatch.h"
#include "cpu/executor.h"
#include "cpu/measure.h"

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
    const int64_t mapped = PackedWeights::mapped_bytes(weights);
    const auto own = static_cast<size_t>(PackedWeights::resident_bytes(weights) - mapped);
    const auto step = [&](bool fast) {
      return Executor::step_bytes(program, PackedWeights::widest_row(weights, fast),
                                  PackedWeights::widest_unpacked(weights), threads, tokens);
    };
    const auto states = ops::HostStates::of(program.slots);
    out.memory.host = {.weights = static_cast<int64_t>(Buffer::resident(own)) + mapped,
                       .mapped = mapped,
                       .packing = PackedWeights::scratch_bytes(weights),
                       .step = step(false),
                       .fast_step = step(true) - step(false),
                       .state = states->bytes_each(),
                       .state_pages = states->page_bytes()};
    out.bytes_per_token = PackedWeights::bytes_read(weights) + 2 * program.state_bytes();
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

  double product_seconds(std::span<const ops::WeightData> weights) override {
    double seconds = 0;
    for (const ops::WeightData& weight : weights) {
      if (!weight.present || weight.use != ops::WeightUse::matrix) continue;
      const Packing packing = packing_of(weight);
      const double rate = rate_of(packing);
      if (rate <= 0) return 0;
      const auto bytes = packing.bytes + static_cast<int64_t>(packing.mapped.size());
      seconds += static_cast<double>(bytes) / rate;
    }
    return seconds;
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
  double rate_of(const Packing& packing) {
    const CodePanels& c = packing.codes;
    const auto [rate, fresh] =
        rates_.try_emplace({packing.type, c.bits, c.block, c.group, c.shifted, c.levels}, 0);
    if (fresh) rate->second = product_rate(kernels_, *pool_, packing.type, c);
    return rate->second;
  }

  const Kernels& kernels_;
  std::shared_ptr<Pool> pool_;
  bool share_every_step_;
  // Measured already, by the shape of panels.
  std::map<std::tuple<PanelType, int, int, int, bool, const int8_t*>, double> rates_;
};

}  // namespace

Result<std::unique_ptr<ops::Backend>> make_backend(const Options& options) {
  SK_TRY(const Kernels* chosen, kernels(options.isa));
  SK_TRY(const int threads, thread_count(options.threads));
  return std::make_unique<CpuBackend>(*chosen, threads, options.share_every_step);
}

}  // namespace skein::cpu
