// Each operation by itself, as a program of eight in a row on the CPU backend, one thread: bytes a
// second where memory or the cache bounds it, operations a second where arithmetic does.
//
// The time is the operation's own (ops::Profile), so that feeding it costs nothing.
#include <benchmark/benchmark.h>

#include <cmath>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cpu/backend.h"
#include "ops/recorder.h"
#include "quant/formats.h"

namespace skein {
namespace {

using ops::Unary, ops::Var;

constexpr int32_t kVocab = 64, kWidth = 1024, kHeads = 16, kCopies = 8;

// A program with the weights that it reads.
class Bench {
 public:
  ops::Recorder recorder;

  Var input() { return recorder.rows("input", weight(ops::WeightUse::table, kVocab), kWidth); }
  ops::Weight vector() { return weight(ops::WeightUse::vector, 1); }
  ops::Weight matrix(DType type) { return weight(ops::WeightUse::matrix, kWidth, type); }
  ops::SlotId slot(int64_t size) { return recorder.slot(fmt::format("slot{}", slots_++), size); }

  // No outputs are wanted, so the head that every program ends with is not run.
  std::unique_ptr<ops::Executable> compile(Var last) {
    program_ = recorder.finish(recorder.linear("logits", recorder.pick("picked", last),
                                               weight(ops::WeightUse::matrix, 16)));
    auto backend = cpu::make_backend({.threads = 1});
    if (!backend) return nullptr;
    auto executable = (*backend)->compile(program_, weights_, {});
    return executable ? std::move(*executable) : nullptr;
  }

 private:
  ops::Weight weight(ops::WeightUse use, int32_t rows, DType type = DType::f32) {
    const Shape shape = use == ops::WeightUse::vector ? Shape{kWidth} : Shape{rows, kWidth};
    std::vector<float> values(static_cast<size_t>(shape.elements()));
    for (float& x : values) {
      seed_ = seed_ * 6364136223846793005u + 1442695040888963407u;
      x = 0.5f + static_cast<float>(seed_ >> 40) * 0x1p-25f;  // 0.5 to 1: in range for any operand
    }
    const BlockSize block = block_size(type);
    std::vector<std::byte>& bytes =
        data_.emplace_back(static_cast<size_t>(shape.elements() / block.elements * block.bytes));
    if (!quant::encode(type, values, bytes)) return {};
    ops::WeightData data{.name = "weight", .use = use, .tensor = {}};
    data.tensor.name = data.name;
    data.tensor.dtype = type;
    data.tensor.shape = shape;
    data.tensor.strides = shape.contiguous_strides();
    data.tensor.storage = bytes;
    weights_.push_back(std::move(data));
    return {static_cast<ops::WeightId>(weights_.size() - 1),
            use == ops::WeightUse::vector ? kWidth : rows};
  }

  ops::Program program_;
  std::vector<ops::WeightData> weights_;
  std::deque<std::vector<std::byte>> data_;
  uint64_t seed_ = 1;
  int slots_ = 0;
};

using Record = std::function<Var(Bench&, Var)>;  // the operation on x, of x's width

void run(benchmark::State& state, ops::OpKind kind, const Record& record, int64_t tokens) {
  Bench bench;
  Var x = bench.input();
  for (int i = 0; i < kCopies; ++i) x = record(bench, x);
  const auto executable = bench.compile(x);
  if (!executable) return state.SkipWithError("this program could not be made ready");
  std::vector<int32_t> ids(static_cast<size_t>(tokens));
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i % kVocab);
  const auto memory = executable->states()->make(), zeros = executable->states()->make();
  if (!memory || !zeros) return state.SkipWithError("no memory for a state");
  const ops::Sequence sequence = {0, static_cast<int32_t>(tokens), memory->get()};
  ops::Work work;
  for (auto _ : state) {
    ops::Profile profile;
    const ops::Step step = {
        .tokens = ids, .sequences = {&sequence, 1}, .outputs = {}, .profile = &profile};
    if (!executable->run(step)) return state.SkipWithError("a step failed");
    double seconds = 0;
    work = {};
    for (const ops::Profile::Entry& entry : profile.entries)
      if (entry.kind == kind) seconds += entry.seconds, work += entry.work;
    state.SetIterationTime(seconds);
    if (!(*memory)->copy_from(**zeros)) return state.SkipWithError("a state was not copied");
  }
  const auto rounds = static_cast<double>(state.iterations());
  state.counters["B/s"] =
      benchmark::Counter(rounds * static_cast<double>(work.bytes()), benchmark::Counter::kIsRate);
  if (work.flops > 0)
    state.counters["FLOP/s"] =
        benchmark::Counter(rounds * static_cast<double>(work.flops), benchmark::Counter::kIsRate);
}

void add(const std::string& name, ops::OpKind kind, const Record& record,
         std::initializer_list<int64_t> tokens) {
  for (const int64_t count : tokens)
    benchmark::RegisterBenchmark(fmt::format("{}/{}", name, count).c_str(),
                                 [=](benchmark::State& state) { run(state, kind, record, count); })
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
}

// One token is a matrix-vector product from memory; 512 are a matrix-matrix product.
bool add_linear() {
  for (int i = 0; i < kDTypes; ++i) {
    const auto type = static_cast<DType>(i);
    const bool floating = type == DType::f32 || type == DType::f16 || type == DType::bf16;
    if (!quant::encodable(type) || (!floating && block_size(type).elements == 1)) continue;
    add(fmt::format("linear {}", dtype_name(type)), ops::OpKind::linear,
        [type](Bench& b, Var x) { return b.recorder.linear("y", x, b.matrix(type)); },
        {1, 8, 64, 512});
  }
  return true;
}

bool add_others() {
  using Kind = ops::OpKind;
  const struct {
    const char* name;
    Kind kind;
    Record record;
  } rows[] = {
      {"layer_norm", Kind::layer_norm,
       [](Bench& b, Var x) {
         return b.recorder.layer_norm("y", x, b.vector(), b.vector(), 1e-5f);
       }},
      {"group_norm", Kind::group_norm,
       [](Bench& b, Var x) {
         return b.recorder.group_norm("y", x, b.vector(), b.vector(), kHeads, 1e-5f);
       }},
      {"rms_norm", Kind::rms_norm,
       [](Bench& b, Var x) { return b.recorder.rms_norm("y", x, b.vector(), 1e-6f); }},
      {"l2norm_heads", Kind::l2norm_heads,
       [](Bench& b, Var x) { return b.recorder.l2norm_heads("y", x, kHeads); }},
      {"shift", Kind::shift,
       [](Bench& b, Var x) { return b.recorder.shift("y", x, b.slot(kWidth)); }},
      {"lerp", Kind::lerp, [](Bench& b, Var x) { return b.recorder.lerp("y", x, x, b.vector()); }},
      {"add", Kind::add, [](Bench& b, Var x) { return b.recorder.add("y", x, x); }},
      {"mul", Kind::mul, [](Bench& b, Var x) { return b.recorder.mul("y", x, b.vector()); }},
      {"sigmoid", Kind::unary,
       [](Bench& b, Var x) { return b.recorder.unary("y", x, Unary::sigmoid); }},
      {"decay", Kind::unary,
       [](Bench& b, Var x) { return b.recorder.unary("y", x, Unary::decay); }},
      {"bonus", Kind::bonus,
       [](Bench& b, Var x) { return b.recorder.bonus("y", x, x, x, b.vector(), kHeads); }},
      {"wkv4", Kind::wkv4,
       [](Bench& b, Var x) {
         const ops::SlotId first = b.slot(kWidth);
         b.slot(kWidth), b.slot(kWidth);
         return b.recorder.wkv4("y", x, x, b.vector(), b.vector(), first);
       }},
      {"wkv6", Kind::wkv6,
       [](Bench& b, Var x) {
         const ops::SlotId state = b.slot(int64_t{kWidth} * kWidth / kHeads);
         return b.recorder.wkv6("y", x, x, x, b.input(), b.vector(), state, kHeads);
       }},
      {"wkv7", Kind::wkv7,
       [](Bench& b, Var x) {
         const Var kk = b.recorder.l2norm_heads("kk", x, kHeads);
         const ops::SlotId state = b.slot(int64_t{kWidth} * kWidth / kHeads);
         return b.recorder.wkv7("y", x, b.input(), x, x, kk, b.input(), state, kHeads);
       }},
  };
  for (const auto& row : rows) add(row.name, row.kind, row.record, {1, 64, 512});
  return true;
}

const bool kAdded = add_linear() && add_others();

}  // namespace
}  // namespace skein
