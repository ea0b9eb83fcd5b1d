#include "run/benchmark.h"

#include <algorithm>
#include <chrono>

#include "run/generate.h"
#include "run/state_file.h"

namespace skein {
namespace {

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct Spread {
  double median, low, high;
};

Spread spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

std::vector<int32_t> some_tokens(int64_t count, int32_t vocab) {
  std::vector<int32_t> out(static_cast<size_t>(count));
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<int32_t>((i * 7919 + 17) % static_cast<size_t>(vocab));
  return out;
}

class Benchmark {
 public:
  Benchmark(Model& model, const BenchmarkOptions& options,
            const std::function<bool(const std::string&)>& step)
      : model_(model), options_(options), step_(step) {}

  Result<BenchmarkReport> run() {
    SK_TRY_STATUS(limits());
    SK_TRY_STATUS(prefill());
    SK_TRY_STATUS(decode(1));
    for (const int64_t batch : options_.batches) SK_TRY_STATUS(decode(batch));
    SK_TRY_STATUS(save_and_restore());
    SK_TRY_STATUS(limits());  // again: a machine whose neighbours woke up shows here
    for (Sample& sample : report_.samples) set_share(sample);
    return report_;
  }

 private:
  Status say(const std::string& what) {
    if (step_ && !step_(what)) return fail(Code::io, "interrupted");
    return {};
  }

  Status limits() {
    SK_TRY_STATUS(say("the machine's limits"));
    const ops::DeviceLimits now = model_.measure_limits();
    report_.read_bandwidth = std::max(report_.read_bandwidth, now.read_bandwidth);
    report_.multiply_adds = std::max(report_.multiply_adds, now.multiply_adds);
    return {};
  }

  Status prefill() {
    const std::string name = fmt::format("prefill {}", options_.prompt);
    const auto tokens = some_tokens(options_.prompt, model_.vocab());
    std::vector<float> logits(static_cast<size_t>(model_.vocab()));
    std::vector<double> rates;
    for (int64_t i = 0; i <= options_.repeats; ++i) {
      SK_TRY_STATUS(say(name));
      State state = model_.new_state();
      Status status;
      const double seconds =
          seconds_of([&] { status = model_.eval(state, tokens, Want::last, logits.data()); });
      SK_TRY_STATUS(status);
      if (i > 0) rates.push_back(static_cast<double>(options_.prompt) / seconds);  // 0 warms up
    }
    LogitsFingerprint fingerprint;
    fingerprint.add(logits);
    report_.fingerprint = fingerprint.value();
    // The head runs for one row only.
    const auto& d = model_.info().dimensions;
    const double head = 2.0 * static_cast<double>(d.vocab * d.width);
    const double flops = static_cast<double>(model_.info().flops_per_token) - head +
                         head / static_cast<double>(options_.prompt);
    add(name, rates, "tok/s", flops, "GFLOP/s", "f32 multiply-adds");
    return {};
  }

  Status decode(int64_t batch) {
    const std::string name = batch == 1 ? "decode" : fmt::format("decode, {} sequences", batch);
    const auto count = static_cast<size_t>(batch);
    std::vector<State> states(count, model_.new_state());
    const auto vocab = static_cast<size_t>(model_.vocab());
    std::vector<float> logits(count * vocab);
    const auto tokens = some_tokens(options_.decode, model_.vocab());
    std::vector<Job> jobs(count);
    std::vector<double> rates;
    for (int64_t i = 0; i <= options_.repeats; ++i) {
      SK_TRY_STATUS(say(name));
      Status status;
      const double seconds = seconds_of([&] {
        for (const int32_t& token : tokens) {
          for (size_t j = 0; j < count; ++j)
            jobs[j] = {&states[j], {&token, 1}, Want::last, logits.data() + j * vocab};
          status = model_.eval(jobs);
          if (!status) return;
        }
      });
      SK_TRY_STATUS(status);
      if (i > 0) rates.push_back(static_cast<double>(batch * options_.decode) / seconds);
    }
    // Weights are read once for all sequences, states once for each.
    const double states_bytes = 2.0 * static_cast<double>(model_.info().state_bytes);
    const double weights = static_cast<double>(model_.info().bytes_per_token) - states_bytes;
    add(name, rates, "tok/s", states_bytes + weights / static_cast<double>(batch), "GB/s",
        "read bandwidth");
    return {};
  }

  Status save_and_restore() {
    SK_TRY_STATUS(say("state"));
    const State state = model_.new_state();
    std::vector<double> copies, saves;
    for (int64_t i = 0; i < options_.repeats; ++i) {
      copies.push_back(1e3 * seconds_of([&] { const State copy = state; }));
      Status status;
      saves.push_back(1e3 * seconds_of([&] {
                        const auto file = serialise(state, {}, {});
                        const auto back = import_state(file, "state", model_.state_layout());
                        if (!back) status = tl::unexpected(back.error());
                      }));
      SK_TRY_STATUS(status);
    }
    add("state copy", copies, "ms", 0, "", "");
    add("state save and load", saves, "ms", 0, "", "");
    return {};
  }

  // `per_item`: bytes or operations behind one of the unit.
  void add(const std::string& name, const std::vector<double>& values, const char* unit,
           double per_item, const char* rate_unit, const char* limit) {
    const Spread s = spread(values);
    report_.samples.push_back({.name = name,
                               .median = s.median,
                               .low = s.low,
                               .high = s.high,
                               .unit = unit,
                               .rate = s.median * per_item,
                               .rate_unit = rate_unit,
                               .share = 0,
                               .limit = limit});
  }

  void set_share(Sample& sample) const {
    const std::string_view limit = sample.limit;
    const double best = limit == "read bandwidth"      ? report_.read_bandwidth
                        : limit == "f32 multiply-adds" ? report_.multiply_adds
                                                       : 0;
    if (best > 0) sample.share = sample.rate / best;
  }

  Model& model_;
  const BenchmarkOptions& options_;
  const std::function<bool(const std::string&)>& step_;
  BenchmarkReport report_;
};

}  // namespace

Result<BenchmarkReport> run_benchmark(Model& model, const BenchmarkOptions& options,
                                      const std::function<bool(const std::string&)>& step) {
  if (options.prompt < 1 || options.decode < 1 || options.repeats < 1)
    return fail(Code::argument, "a benchmark needs at least one token and one repeat");
  for (const int64_t batch : options.batches)
    if (batch < 1 || batch > 1024)
      return fail(Code::argument, "a batch of {} sequences; it has to be 1 to 1024", batch);
  return Benchmark(model, options, step).run();
}

}  // namespace skein
