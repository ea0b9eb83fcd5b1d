// skein bench: speed beside the limits of the machine.
#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/file.h"
#include "base/file_writer.h"
#include "base/platform.h"
#include "cli/bench_report.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/output_check.h"
#include "cli/progress.h"

namespace skein::cli {
namespace {

class Bench final : public Command {
 public:
  void declare(Options& options) override {
    model_.declare(options);
    options.value("-p,--prompt", run_.prompt, "N", "tokens of the prompt").range(1, 1 << 20);
    options.value("-n,--predict", run_.decode, "N", "tokens decoded in a sample").range(1, 1 << 20);
    options
        .value("-b,--batch", batches_, "N",
               "also decode N sequences together; may stand several times (2, 4, ... 64)")
        .range(1, 1024);
    options.value("-r,--repeat", run_.repeats, "N", "samples of each figure").range(1, 1000);
    options.flag("--chunks", chunks_, "also the prompt in chunks of 1, 2, 4, ... 512 tokens");
    options.flag("--profile", profile_,
                 "instead, where the time of a step goes: one token, and a prompt");
    options
        .value(
            "--stream", stream_, "N",
            "instead, stream N tokens: is the last tenth as fast as the second, does memory grow?")
        .range(1000, 1e9);
    options
        .value("--compare", compare_, "FILE",
               "print each figure's ratio to that of an earlier --json")
        .file()
        .unset_elsewhere();
    options.value("--plot", plot_, "FILE", "draw the figures as SVG").file().unset_elsewhere();
  }

  int run(Console& console) override {
    console.make_room_for(plot_);
    std::optional<OldReport> old;
    if (const Status status = prepare(old); !status) return console.error(status.error());
    auto options = model_.given();
    if (!options) return console.error(options.error());
    auto opening = model_.look(console);
    if (!opening) return console.error(opening.error());
    const MemoryEstimate memory = opening->memory();
    auto model = model_.load(console, std::move(*opening));
    if (!model) return console.error(model.error());
    subject_ = {(*model)->info(), memory, peak_resident_bytes()};
    // No interrupt::Scope: a step of a large model takes long, and nothing is half done in between.
    const Status status = profile_      ? profile(console, **model)
                          : stream_ > 0 ? stream(console, *model)
                                        : benchmark(console, *model, *options, old);
    console.clear_status();
    return status ? kFine : console.error(status.error());
  }

 private:
  // What can be wrong is told before the model is loaded.
  Status prepare(std::optional<OldReport>& old) {
    if (profile_ && stream_ > 0)
      return fail(Code::argument, "--profile and --stream exclude each other");
    const bool other = profile_ || stream_ > 0;
    if (other && (chunks_ || !compare_.empty()))
      return fail(Code::argument, "{} does not go with {}", chunks_ ? "--chunks" : "--compare",
                  profile_ ? "--profile" : "--stream");
    if (!compare_.empty()) {
      SK_TRY(old, read_report(compare_));
    }
    if (auto status = check_output(plot_, {model_.path(), compare_}); !status)
      return fail(status.error().code, "--plot: {}", status.error().message);
    if (!batches_.empty()) {
      run_.batches = {1};
      for (const int64_t batch : batches_)
        if (std::find(run_.batches.begin(), run_.batches.end(), batch) == run_.batches.end())
          run_.batches.push_back(batch);
    }
    if (chunks_)
      for (int64_t chunk = 1; chunk <= 512; chunk *= 2) run_.chunks.push_back(chunk);
    return {};
  }

  BenchmarkStep step(Console& console) const {
    return [&console](const std::string& what) {
      console.status("measuring " + what);
      return true;
    };
  }

  Status benchmark(Console& console, std::shared_ptr<Model>& model,
                   const skein::ModelOptions& options, const std::optional<OldReport>& old) {
    SK_TRY(BenchmarkReport report, run_benchmark(model, run_, step(console)));
    subject_.peak_resident = report.peak_resident;
    model.reset();  // loading is measured without a second copy beside it
    SK_TRY(Sample load, benchmark_load(model_.path(), options, std::min<int64_t>(run_.repeats, 3),
                                       report.limits, step(console)));
    report.samples.push_back(std::move(load));
    SK_TRY_STATUS(draw([&] { return plot(subject_, report); }));
    console.clear_status();
    const OldReport* const before = old ? &*old : nullptr;
    if (console.json())
      console.object(benchmark_json(subject_, report, before));
    else
      print_benchmark(console, subject_, report, before);
    return {};
  }

  Status profile(Console& console, Model& model) {
    SK_TRY(const ProfileReport report,
           run_profile(model, {.prompt = run_.prompt, .repeats = run_.repeats}, step(console)));
    SK_TRY_STATUS(draw([&] { return plot(subject_, report); }));
    console.clear_status();
    if (console.json())
      console.object(profile_json(subject_, report));
    else
      print_profile(console, subject_, report);
    return {};
  }

  Status stream(Console& console, const std::shared_ptr<Model>& model) {
    Progress progress(console, "streaming", Progress::Unit::tokens);
    SK_TRY(const Endurance result, run_endurance(model, stream_, [&](int64_t done) {
             progress.update(done, stream_);
             return true;
           }));
    SK_TRY_STATUS(draw([&] { return plot(subject_, result); }));
    console.clear_status();
    if (console.json())
      console.object(endurance_json(subject_, result));
    else
      print_endurance(console, subject_, result);
    return {};
  }

  template <typename Draw>
  Status draw(const Draw& svg) const {
    if (plot_.empty()) return {};
    const std::string text = svg();
    const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
    return write_file(plot_, {&bytes, 1}, {.spare_inputs = true});
  }

  ModelOptions model_;
  BenchmarkOptions run_;
  BenchSubject subject_;
  std::vector<int64_t> batches_;
  bool chunks_ = false;
  bool profile_ = false;
  int64_t stream_ = 0;
  std::string compare_;
  std::string plot_;
};

}  // namespace

CommandPtr make_bench() { return std::make_unique<Bench>(); }

}  // namespace skein::cli
