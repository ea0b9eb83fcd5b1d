// skein bench: speed beside the limits of the machine.
#include "base/platform.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/progress.h"
#include "run/benchmark.h"
#include "run/endurance.h"

namespace skein::cli {
namespace {

class Bench final : public Command {
 public:
  void declare(Options& options) override {
    model_.declare(options);
    options.value("-p,--prompt", run_.prompt, "N", "tokens of the prompt").range(1, 1 << 20);
    options.value("-n,--predict", run_.decode, "N", "tokens decoded in a sample").range(1, 1 << 20);
    options.value("-b,--batch", batches_, "N",
                  "also decode N sequences together; may stand several times (2, 4 and 8)");
    options.value("-r,--repeat", run_.repeats, "N", "samples of each figure").range(1, 1000);
    options
        .value(
            "--stream", stream_, "N",
            "instead, stream N tokens: is the last tenth as fast as the second, does memory grow?")
        .range(1000, 1e9);
  }

  int run(Console& console) override {
    auto model = model_.open(console);
    if (!model) return console.error(model.error());
    loaded_peak_ = peak_resident_bytes();  // before the measuring takes memory of its own
    if (stream_ > 0) return stream(console, *model);
    if (!batches_.empty()) run_.batches = batches_;
    const interrupt::Scope scope;
    const auto report = run_benchmark(**model, run_, [&](const std::string& what) {
      console.status("measuring " + what);
      return !interrupt::requested();
    });
    console.clear_status();
    if (!report) return interrupt::requested() ? kInterrupted : console.error(report.error());
    if (console.json())
      print_json(console, **model, *report);
    else
      print_table(console, **model, *report);
    return kFine;
  }

 private:
  int stream(Console& console, const std::shared_ptr<Model>& model) const {
    const interrupt::Scope scope;
    Progress progress(console, "streaming", Progress::Unit::tokens);
    const auto result = run_endurance(model, stream_, [&](int64_t done) {
      progress.update(done, stream_);
      return !interrupt::requested();
    });
    console.clear_status();
    if (!result) return interrupt::requested() ? kInterrupted : console.error(result.error());
    const double ratio = result->last_tenth_us / result->second_tenth_us;
    if (console.json()) {
      JsonWriter json;
      json.begin_object()
          .member("tokens", result->tokens)
          .member("second_tenth_us", result->second_tenth_us)
          .member("last_tenth_us", result->last_tenth_us)
          .member("ratio", ratio)
          .member("resident_slope", result->resident_slope)
          .member("resident_begin", result->resident_begin)
          .member("resident_end", result->resident_end)
          .member("fingerprint", fmt::format("{:016x}", result->fingerprint))
          .end_object();
      console.object(json);
      return kFine;
    }
    console.line(fmt::format("{} tokens streamed by {}", result->tokens, model->info().title));
    console.line(
        fmt::format("median time of a token: second tenth {:.2f} us, last tenth {:.2f} us, "
                    "ratio {:.3f}",
                    result->second_tenth_us, result->last_tenth_us, ratio));
    console.line(
        fmt::format("resident memory after the first quarter: {} to {}, {:.3f} bytes a token",
                    bytes_text(result->resident_begin), bytes_text(result->resident_end),
                    result->resident_slope));
    console.line(fmt::format("logits fingerprint {:016x}", result->fingerprint));
    return kFine;
  }

  void print_table(Console& console, const Model& model, const BenchmarkReport& report) const {
    const ModelInfo& info = model.info();
    console.line(fmt::format("{}  {}", console.styled(Style::bold, info.title), info.file));
    console.line(fmt::format("{}, weights {}, state {}, loaded in {:.2f} s, peak memory {}",
                             info.device, bytes_text(static_cast<double>(info.weight_bytes)),
                             bytes_text(static_cast<double>(info.state_bytes)), info.load_seconds,
                             bytes_text(static_cast<double>(loaded_peak_))));
    console.line(fmt::format("limits now: read {:.1f} GB/s, f32 multiply-adds {:.0f} GFLOP/s",
                             report.read_bandwidth / 1e9, report.multiply_adds / 1e9));
    console.line("");
    for (const Sample& s : report.samples) {
      std::string line =
          fmt::format("{:<22}{:>10.{}f} {:<6} ({:.{}f} to {:.{}f})", s.name, s.median, digits(s),
                      s.unit, s.low, digits(s), s.high, digits(s));
      if (s.share > 0)
        line = fmt::format("{:<62}{:>8.1f} {:<8}{:>4.0f} % of {}", line, s.rate / 1e9, s.rate_unit,
                           100 * s.share, s.limit);
      console.line(line);
    }
    console.line("");
    console.line(fmt::format("logits fingerprint {:016x}", report.fingerprint));
  }

  static int digits(const Sample& s) { return s.median < 10 ? 3 : s.median < 100 ? 2 : 1; }

  void print_json(Console& console, const Model& model, const BenchmarkReport& report) const {
    const ModelInfo& info = model.info();
    JsonWriter json;
    json.begin_object()
        .member("model", info.title)
        .member("file", info.file)
        .member("device", info.device)
        .member("weight_bytes", info.weight_bytes)
        .member("state_bytes", info.state_bytes)
        .member("load_seconds", info.load_seconds)
        .member("peak_resident_bytes", loaded_peak_)
        .member("read_bandwidth", report.read_bandwidth)
        .member("multiply_adds", report.multiply_adds)
        .member("fingerprint", fmt::format("{:016x}", report.fingerprint));
    json.key("samples").begin_array();
    for (const Sample& s : report.samples) {
      json.begin_object()
          .member("name", s.name)
          .member("unit", s.unit)
          .member("median", s.median)
          .member("low", s.low)
          .member("high", s.high);
      if (s.share > 0)
        json.member("rate", s.rate)
            .member("rate_unit", s.rate_unit)
            .member("limit", s.limit)
            .member("share", s.share);
      json.end_object();
    }
    json.end_array().end_object();
    console.object(json);
  }

  ModelOptions model_;
  BenchmarkOptions run_;
  std::vector<int64_t> batches_;
  int64_t stream_ = 0;
  uint64_t loaded_peak_ = 0;
};

}  // namespace

CommandPtr make_bench() { return std::make_unique<Bench>(); }

}  // namespace skein::cli
