// What the CPU chooses once it knows the packed weights: whether zeros are skipped, and the second
// plane of the head.
#include <algorithm>
#include <set>

#include "cpu/executor.h"
#include "cpu/flush.h"
#include "cpu/records.h"

namespace skein::cpu {
namespace {

// Above this share of units that are not zero, panels are the faster way for some types and sizes.
constexpr double kWorthSkipping = 0.3;

}  // namespace

Status Executor::tune(const ops::CompileOptions& options) {
  SK_TRY_STATUS(choose_sparse(options.sparse));
  return choose_planes(options.two_plane);
}

Status Executor::choose_sparse(ops::Sparse choice) {
  if (choice == ops::Sparse::off) return {};
  const auto matrices = matrices_of_sparse_inputs(program_);
  if (std::none_of(matrices.begin(), matrices.end(),
                   [&](ops::WeightId id) { return weights_.can_be_records(id); })) {
    if (choice == ops::Sparse::on)
      facts_.notes.push_back(
          "zeros cannot be skipped: no matrix behind a squared ReLU can be rearranged "
          "(those of packed files and of NF4, INT8 and MXFP4 cannot)");
    return {};
  }
  SK_TRY(const double active, share_of_zeros_left());
  if (choice == ops::Sparse::probed && active >= kWorthSkipping) return {};
  SK_TRY_STATUS(weights_.make_records(matrices, active, *pool_));
  find_facts();
  return {};
}

// Of the units behind squared ReLUs those that are not zero, as a few tokens leave them. They are
// read with a state of zeros: what a sequence begins with is the owner's affair, and no tokens of a
// text are these.
Result<double> Executor::share_of_zeros_left() {
  std::set<const ops::Value*> units;
  for (const ops::Op& op : program_.ops)
    if (op.function == ops::Unary::relu2) units.insert(&program_.value(op.out));
  const ops::Op& table = program_.ops.front();
  SK_CHECK(table.kind == ops::OpKind::rows);
  const int64_t rows = weights_[table.weight[0]].rows;
  std::vector<int32_t> tokens(4);
  for (size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = static_cast<int32_t>((static_cast<int64_t>(i) * 7919 + 17) % rows);
  int64_t active = 0, all = 0;
  const ops::Trace count = [&](const ops::Value& value, std::span<const float> data) {
    if (!units.contains(&value)) return;
    all += std::ssize(data);
    active += std::ssize(data) - std::count(data.begin(), data.end(), 0.0f);
  };
  SK_TRY(const auto state, states_->make());
  SK_TRY_STATUS(state->reserve(std::ssize(tokens)));
  const ops::Sequence sequence = {0, static_cast<int32_t>(tokens.size()), state.get()};
  SK_TRY_STATUS(run({.tokens = tokens, .sequences = {&sequence, 1}, .trace = &count}));
  return all > 0 ? static_cast<double>(active) / static_cast<double>(all) : 1;
}

class HeadPlane final : public ops::SecondPlane {
 public:
  explicit HeadPlane(Executor& executor) : executor_(executor) {}
  ops::SecondPlaneCost cost() const override { return executor_.plane_cost(); }
  Status make() override { return executor_.make_plane(); }
  Status exact_logits(const float* input, std::span<const int32_t> groups, float* logits,
                      const std::function<bool()>& intact) override {
    return executor_.exact_logits(input, groups, logits, intact);
  }

 private:
  Executor& executor_;
};

Status Executor::choose_planes(ops::TwoPlane choice) {
  constexpr const char* kNone = "the head has no second plane: ";
  const ops::SecondPlaneCost cost = plane_cost();
  if (choice == ops::TwoPlane::on && cost.bytes == 0)
    facts_.notes.push_back(std::string(kNone) +
                           "a copy in 8 bits would be no smaller, or does not fit it");
  if (!cost.wanted(choice, facts_.bytes_per_token)) return {};
  plane_ = std::make_unique<HeadPlane>(*this);
  if (choice != ops::TwoPlane::on) return {};
  const Status made = make_plane();
  if (made || made.error().code != Code::unsupported) return made;
  facts_.notes.push_back(kNone + made.error().message);
  plane_.reset();
  return {};
}

ops::SecondPlaneCost Executor::plane_cost() const {
  if (!CoarseHead::possible(program_)) return {};
  const PackedWeight& matrix = weights_[head().weight[0]];
  return CoarseHead::cost(matrix.type, matrix.rows, matrix.width);
}

Status Executor::make_plane() {
  if (coarse_) return {};
  SK_TRY(coarse_, CoarseHead::make(weights_[head().weight[0]], *pool_));
  find_facts();
  return {};
}

Status Executor::exact_logits(const float* input, std::span<const int32_t> groups, float* logits,
                              const std::function<bool()>& intact) {
  static_assert(ops::kLogitGroup == kPanel);
  SK_CHECK(coarse_);
  const PackedWeight& matrix = weights_[head().weight[0]];
  const Linear l = {.panels = matrix.data,
                    .type = matrix.type,
                    .in = matrix.width,
                    .out = matrix.rows,
                    .x = input,
                    .x_stride = matrix.width,
                    .y = logits,
                    .y_stride = matrix.rows,
                    .tokens = 1};
  const auto multiply = [&](Range part) {
    const FlushSubnormals flush;
    for (int64_t i = part.begin; i < part.end;) {
      // Neighbours go together.
      const int64_t first = groups[static_cast<size_t>(i)];
      int64_t end = first;
      while (i < part.end && groups[static_cast<size_t>(i)] == end) ++i, ++end;
      kernels_.linear(l, {first, end});
    }
  };
  const auto count = static_cast<int64_t>(groups.size());
  if (2 * count * kPanel * matrix.width < kSoloFlops) {
    multiply({0, count});
  } else {
    const auto job = [&](int thread) { multiply(share(count, thread, pool_->size())); };
    SK_TRY_STATUS(pool_->run(std::ref(job)));  // a reference needs no allocation
  }
  if (weights_.mapped() && intact && !intact()) return shortened();
  return {};
}

}  // namespace skein::cpu
