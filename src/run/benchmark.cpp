#include "run/benchmark.h"

#include <algorithm>
#include <deque>

#include "base/energy.h"
#include "base/platform.h"
#include "run/engine.h"
#include "run/measuring.h"
#include "run/state_file.h"

namespace skein {
namespace {

Status told(const BenchmarkStep& step, const std::string& what) {
  if (step && !step(what)) return fail(Code::io, "interrupted");
  return {};
}

void set_share(Sample& sample, const MachineLimits& limits) {
  if (sample.in_cache) return;
  const auto bound = limits.bound(sample.bytes, sample.flops);
  if (bound.limit.value <= 0) return;
  const double a_second = sample.more_is_better() ? sample.median : 1e3 / sample.median;
  sample.limit = bound.limit.key;
  sample.share = bound.seconds * a_second;
  sample.rate = sample.share * bound.limit.value;
}

struct Cost {
  double bytes = 0, flops = 0;
};

class Benchmark {
 public:
  Benchmark(std::shared_ptr<Model> model, const BenchmarkOptions& options,
            const BenchmarkStep& step)
      : shared_(std::move(model)),
        model_(*shared_),
        options_(options),
        step_(step),
        energy_(options.energy) {}

  Result<BenchmarkReport> run() {
    SK_TRY_STATUS(count_work());
    SK_TRY_STATUS(prefill());
    // With all that generating makes, and before what is needed for measuring only.
    if (model_.info().two_plane != TwoPlane::off) SK_TRY_STATUS(decode_roughly());
    report_.peak_resident = peak_resident_bytes();
    SK_TRY_STATUS(limits());
    for (const int64_t chunk : options_.chunks) SK_TRY_STATUS(prefill_in(chunk));
    for (const int64_t batch : options_.batches) SK_TRY_STATUS(decode(batch));
    if (!options_.batches.empty() && options_.batches.back() > 1)
      SK_TRY_STATUS(generate(options_.batches.back()));
    if (model_.info().two_plane != TwoPlane::off) SK_TRY_STATUS(decode_likeliest());
    SK_TRY_STATUS(save_and_restore());
    SK_TRY_STATUS(limits());
    for (Sample& sample : report_.samples) set_share(sample, report_.limits);
    return std::move(report_);
  }

 private:
  Status limits() {
    SK_TRY_STATUS(told(step_, "the machine's limits"));
    report_.limits.measure(model_);
    return {};
  }

  // The repeats of `work`, which is for so many tokens, after one that warms up.
  template <typename Work>
  Status measure(Sample sample, int64_t tokens, const Work& work) {
    std::vector<double> rates;
    for (int64_t i = 0; i <= options_.repeats; ++i) {
      SK_TRY_STATUS(told(step_, sample.name));
      if (i == 1) energy_.joules();  // from here
      Status status;
      const double seconds = seconds_of([&] { status = work(); });
      SK_TRY_STATUS(status);
      if (i > 0) rates.push_back(static_cast<double>(tokens) / seconds);
    }
    if (energy_.readable())
      sample.joules =
          std::max(0.0, energy_.joules()) / static_cast<double>(tokens * options_.repeats);
    sample.unit = "tok/s";
    add(std::move(sample), rates);
    return {};
  }

  Status prefill() {
    const auto tokens = some_tokens(options_.prompt, model_.vocab());
    std::vector<float> logits(static_cast<size_t>(model_.vocab()));
    const Cost cost = of_prompt(options_.prompt, model_.chunk());
    Sample sample = {.name = fmt::format("prefill {}", options_.prompt),
                     .kind = "prefill",
                     .size = options_.prompt,
                     .bytes = cost.bytes,
                     .flops = cost.flops};
    SK_TRY_STATUS(measure(std::move(sample), options_.prompt, [&] {
      State state = model_.new_state();
      return model_.eval(state, tokens, Want::last, logits.data());
    }));
    LogitsFingerprint fingerprint;
    fingerprint.add(logits);
    report_.fingerprint = fingerprint.value();
    return {};
  }

  // The cost of a token does not depend on what came before, so small chunks need no whole prompt.
  Status prefill_in(int64_t chunk) {
    const int64_t calls = std::max<int64_t>(1, std::min<int64_t>(16, options_.prompt / chunk));
    const auto tokens = some_tokens(chunk, model_.vocab());
    std::vector<float> logits(static_cast<size_t>(model_.vocab()));
    const int64_t all = calls * chunk;
    const Cost cost = of_prompt(all, std::min(chunk, model_.chunk()));
    Sample sample = {.name = fmt::format("prefill, {} at a time", chunk),
                     .kind = "chunk",
                     .size = chunk,
                     .bytes = cost.bytes,
                     .flops = cost.flops};
    return measure(std::move(sample), all, [&]() -> Status {
      State state = model_.new_state();
      for (int64_t call = 1; call < calls; ++call)
        SK_TRY_STATUS(model_.eval(state, tokens, Want::none, nullptr));
      return model_.eval(state, tokens, Want::last, logits.data());
    });
  }

  // What a token costs with and without its logits.
  Status count_work() {
    const ModelInfo& info = model_.info();
    state_bytes_ = 2.0 * static_cast<double>(info.state_bytes);
    body_ = {static_cast<double>(info.bytes_per_token) - state_bytes_,
             static_cast<double>(info.flops_per_token)};
    State state = model_.new_state();
    const int32_t token = 0;
    ops::Profile profile;
    SK_TRY_STATUS(model_.profile(state, {&token, 1}, Want::none, nullptr, profile));
    if (profile.entries.empty()) return {};  // a device that cannot tell
    const Cost all = body_;
    body_ = {};
    for (const auto& entry : profile.entries) {
      body_.bytes += static_cast<double>(entry.work.weight_bytes);
      body_.flops += static_cast<double>(entry.work.flops);
    }
    head_ = {all.bytes - body_.bytes, all.flops - body_.flops};
    return {};
  }

  // A token of a prompt of `tokens`, `chunk` at a time: the head runs once.
  Cost of_prompt(int64_t tokens, int64_t chunk) const {
    const auto count = static_cast<double>(tokens);
    const auto passes = static_cast<double>((tokens + chunk - 1) / chunk);
    return {(passes * (body_.bytes + state_bytes_) + head_.bytes) / count,
            body_.flops + head_.flops / count};
  }

  // A state, the copy that a failing step would be undone with, logits twice and activations.
  bool fits(int64_t batch) {
    const auto each = static_cast<uint64_t>(2 * model_.info().state_bytes + 16 * model_.vocab());
    const uint64_t needed = each * static_cast<uint64_t>(batch), free = memory_available();
    if (free == 0 || needed < free / 2) return true;
    report_.notes.push_back(fmt::format("{} sequences were left out: they need {} MiB of {} free",
                                        batch, needed >> 20, free >> 20));
    return false;
  }

  int64_t steps_of(int64_t batch) const {
    return std::clamp<int64_t>(4 * options_.decode / batch, std::min<int64_t>(4, options_.decode),
                               options_.decode);
  }

  Status decode(int64_t batch) {
    if (!fits(batch)) return {};
    const auto count = static_cast<size_t>(batch);
    std::vector<State> states(count, model_.new_state());
    const auto vocab = static_cast<size_t>(model_.vocab());
    std::vector<float> logits(count * vocab);
    const int64_t steps = steps_of(batch);
    const auto tokens = some_tokens(steps, model_.vocab());
    std::vector<Job> jobs(count);
    Sample sample = {
        .name = batch == 1 ? "decode" : fmt::format("decode, {} sequences", batch),
        .kind = "decode",
        .size = batch,
        .bytes = (body_.bytes + head_.bytes) / static_cast<double>(batch) + state_bytes_,
        .flops = body_.flops + head_.flops};
    return measure(std::move(sample), batch * steps, [&]() -> Status {
      for (const int32_t& token : tokens) {
        for (size_t j = 0; j < count; ++j)
          jobs[j] = {&states[j], {&token, 1}, Want::last, logits.data() + j * vocab};
        SK_TRY_STATUS(model_.eval(jobs));
      }
      return {};
    });
  }

  // The same as conversations: an engine that draws each token.
  Status generate(int64_t batch) {
    if (!fits(batch)) return {};
    const auto count = static_cast<size_t>(batch);
    Engine engine(shared_);
    Sampling sampling;
    sampling.banned = {kEndOfDocument[0]};
    const TokenTraits traits = token_traits(model_.vocab());
    std::deque<Session> sessions;
    std::vector<std::shared_ptr<Generation>> generations;
    const auto prompt = some_tokens(1, model_.vocab());
    for (size_t i = 0; i < count; ++i) {
      sampling.seed = i;
      SK_TRY(Sampler sampler, Sampler::create(sampling, traits));
      SK_TRY(generations.emplace_back(),
             Generation::start(sessions.emplace_back(shared_), prompt, nullptr, std::move(sampler),
                               {.fingerprint = false}));
      SK_TRY_STATUS(engine.submit(generations.back()));
    }
    Event event;
    for (const auto& generation : generations) SK_TRY_STATUS(engine.next(generation, event));
    const int64_t steps = steps_of(batch);
    Sample sample = {
        .name = fmt::format("generate, {} sequences", batch),
        .kind = "generate",
        .size = batch,
        .bytes = (body_.bytes + head_.bytes) / static_cast<double>(batch) + state_bytes_,
        .flops = body_.flops + head_.flops};
    const auto all_step = [&]() -> Status {
      for (int64_t step = 0; step < steps; ++step)
        for (const auto& generation : generations) SK_TRY_STATUS(engine.next(generation, event));
      return {};
    };
    return measure(std::move(sample), batch * steps, all_step);
  }

  Status decode_roughly() {
    SK_TRY(LogitBounds logits, model_.logit_bounds());
    State state = model_.new_state();
    return model_.eval(state, 0, logits);
  }

  // With a two-plane head the likeliest tokens need few exact logits.
  Status decode_likeliest() {
    Sampling greedy;
    greedy.temperature = 0;
    const TokenTraits traits = token_traits(model_.vocab());
    SK_TRY(Sampler sampler, Sampler::create(greedy, traits));
    SK_TRY(LogitBounds logits, model_.logit_bounds());
    State state = model_.new_state();
    const auto tokens = some_tokens(4 * options_.decode, model_.vocab());
    const double saved = static_cast<double>(model_.info().second_plane_saves);
    Sample sample = {.name = "decode, likeliest tokens",
                     .kind = "greedy",
                     .size = 1,
                     .bytes = body_.bytes + head_.bytes - saved + state_bytes_,
                     .flops = body_.flops + head_.flops};
    return measure(std::move(sample), static_cast<int64_t>(tokens.size()), [&]() -> Status {
      for (const int32_t token : tokens) {
        SK_TRY_STATUS(model_.eval(state, token, logits));
        SK_TRY_STATUS(sampler.sample(logits, 0));
      }
      return {};
    });
  }

  Status save_and_restore() {
    SK_TRY_STATUS(told(step_, "state"));
    const State state = model_.new_state();
    State target = state;
    std::vector<double> copies, saves, restores;
    size_t file_bytes = 0;
    for (int64_t i = 0; i < options_.repeats; ++i) {
      copies.push_back(1e3 * seconds_of([&] { target = state; }));
      std::vector<std::byte> file;
      saves.push_back(1e3 * seconds_of([&] {
                        const auto saved = StateFile::make(state, {}, {});
                        if (saved) file = saved->bytes();
                      }));
      Status status;
      restores.push_back(1e3 * seconds_of([&] {
                           const auto back = import_state(file, "state", model_.state_layout());
                           if (!back) status = tl::unexpected(back.error());
                         }));
      SK_TRY_STATUS(status);
      file_bytes = file.size();
    }
    const int64_t bytes = model_.info().state_bytes;
    const auto file_size = static_cast<int64_t>(file_bytes);
    // Of a round: both states, the file and what is read back from it.
    const auto touched = static_cast<uint64_t>(2 * (bytes + file_size));
    const bool in_cache = touched <= last_level_cache_bytes();
    const auto add_time = [&](const char* name, int64_t size, int64_t moved,
                              const std::vector<double>& ms) {
      add({.name = name,
           .kind = "state",
           .size = size,
           .unit = "ms",
           .bytes = static_cast<double>(moved),
           .in_cache = in_cache},
          ms);
    };
    add_time("state copy", bytes, 2 * bytes, copies);
    add_time("state save", file_size, file_size, saves);
    add_time("state restore", file_size, file_size, restores);
    return {};
  }

  void add(Sample sample, const std::vector<double>& values) {
    const Spread s = spread(values);
    sample.median = s.median, sample.low = s.low, sample.high = s.high;
    report_.samples.push_back(std::move(sample));
  }

  std::shared_ptr<Model> shared_;
  Model& model_;
  const BenchmarkOptions& options_;
  const BenchmarkStep& step_;
  EnergyMeter energy_;
  double state_bytes_ = 0;  // read and written
  Cost body_, head_;        // all of a step but the logits, and these; bytes are of weights
  BenchmarkReport report_;
};

Status check(const BenchmarkOptions& options) {
  if (options.prompt < 1 || options.decode < 1 || options.repeats < 1)
    return fail(Code::argument, "a benchmark needs at least one token and one repeat");
  for (const int64_t batch : options.batches)
    if (batch < 1 || batch > 1024)
      return fail(Code::argument, "a batch of {} sequences; it has to be 1 to 1024", batch);
  for (const int64_t chunk : options.chunks)
    if (chunk < 1 || chunk > 4096)
      return fail(Code::argument, "a chunk of {} tokens; it has to be 1 to 4096", chunk);
  return {};
}

}  // namespace

Result<BenchmarkReport> run_benchmark(const std::shared_ptr<Model>& model,
                                      const BenchmarkOptions& options, const BenchmarkStep& step) {
  SK_TRY_STATUS(check(options));
  return Benchmark(model, options, step).run();
}

Result<Sample> benchmark_load(const std::filesystem::path& path, const ModelOptions& options,
                              int64_t repeats, const MachineLimits& limits,
                              const BenchmarkStep& step) {
  std::vector<double> ms;
  int64_t bytes = 0;
  for (int64_t i = 0; i < repeats; ++i) {
    SK_TRY_STATUS(told(step, "load to first token"));
    std::shared_ptr<Model> model;
    Status status;
    ms.push_back(1e3 * seconds_of([&] {
                   auto opened = Model::open(path, options);
                   if (!opened) {
                     status = tl::unexpected(opened.error());
                     return;
                   }
                   model = std::move(*opened);
                   State state = model->new_state();
                   std::vector<float> logits(static_cast<size_t>(model->vocab()));
                   const int32_t token = 0;
                   status = model->eval(state, {&token, 1}, Want::last, logits.data());
                 }));
    SK_TRY_STATUS(status);
    bytes = model->file_bytes();
  }
  const Spread s = spread(ms);
  Sample sample = {.name = "load to first token",
                   .kind = "load",
                   .size = bytes,
                   .median = s.median,
                   .low = s.low,
                   .high = s.high,
                   .unit = "ms",
                   .bytes = static_cast<double>(bytes)};
  set_share(sample, limits);
  return sample;
}

}  // namespace skein
