// The tables of skein bench.
#include "base/platform.h"
#include "cli/bench_report.h"
#include "cli/progress.h"

namespace skein::cli {
namespace {

std::string size_text(int64_t bytes) { return bytes_text(static_cast<double>(bytes)); }

std::string limits_text(const MachineLimits& limits) {
  std::string out;
  for (const Limit& limit : limits.all())
    out += fmt::format("{}{} {:.1f} {}", out.empty() ? "limits now: " : ", ", limit.name,
                       limit.value / 1e9, limit.unit);
  const ops::DeviceLimits& device = limits.device();
  if (device.read_bytes > 0)
    out += fmt::format("; read: {} {}, {:.0f} % of it on huge pages", size_text(device.read_bytes),
                       device.read_weights ? "of weights" : "of memory beside the mapped weights",
                       100 * device.huge_pages);
  return out;
}

void print_subject(Console& console, const BenchSubject& subject) {
  const ModelInfo& info = subject.info;
  console.line(fmt::format("{}  {}", console.styled(Style::bold, info.title), escaped(info.file)));
  console.line(fmt::format("{}, weights {}, state {}, loaded in {:.2f} s",
                           info.device + (info.sparse ? ", skipping zeros" : "") +
                               (info.two_plane != TwoPlane::off ? ", two-plane head" : ""),
                           size_text(info.weight_bytes), size_text(info.state_bytes),
                           info.load_seconds));
}

std::string figure(double value) {
  return fmt::format("{:.{}f}", value, value < 10 ? 3 : value < 100 ? 2 : value < 1000 ? 1 : 0);
}

std::string percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

std::string comparison_text(const Console& console, double ratio, bool more_is_better) {
  const std::string text = fmt::format("{:.2f} of before", ratio);
  if (text == "1.00 of before") return text;
  const bool better = (ratio > 1) == more_is_better;
  return console.styled(better ? Style::green : Style::red,
                        text + (better ? ", better" : ", worse"));
}

// Nothing where nothing was moved or computed.
std::string amount(double value, const char* unit) {
  return value > 0 ? fmt::format("{} {}", figure(value), unit) : "-";
}

void print_row(Console& console, const std::string& name, int64_t count, double seconds,
               double step_seconds, const ops::Work& work, const MachineLimits& limits) {
  const auto bound = limits.bound(work);
  const double bytes = static_cast<double>(work.bytes()), flops = static_cast<double>(work.flops);
  const auto rate = [&](double one) { return seconds > 0 ? one / seconds / 1e9 : 0; };
  std::string line = fmt::format("{:<24}{:>5}{:>11.1f} us{:>6.1f} %", name, count, 1e6 * seconds,
                                 100 * seconds / step_seconds);
  line += fmt::format("{:>13}{:>15}", amount(bytes / 1e6, "MB"), amount(flops / 1e6, "MFLOP"));
  line += fmt::format("{:>13}{:>16}", amount(rate(bytes), "GB/s"), amount(rate(flops), "GFLOP/s"));
  if (bound.limit.value > 0 && seconds > 0)
    line += fmt::format("{:>6} of {}", percent(bound.seconds / seconds), bound.limit.name);
  console.line(line);
}

}  // namespace

void print_benchmark(Console& console, const BenchSubject& subject, const BenchmarkReport& report,
                     const OldReport* old) {
  print_subject(console, subject);
  console.line(
      fmt::format("memory: {} announced, peak {} ({})", size_text(subject.memory.peak()),
                  size_text(static_cast<int64_t>(subject.peak_resident)),
                  percent(static_cast<double>(subject.peak_resident) /
                          static_cast<double>(std::max<int64_t>(1, subject.memory.peak())))));
  console.line(limits_text(report.limits));
  if (old) {
    console.line(fmt::format("compared with {}:", escaped(old->file)));
    for (const std::string& difference : differences(*old, subject, report.fingerprint))
      console.line("  " + console.styled(Style::yellow, difference));
    for (const Limit& limit : report.limits.all())
      if (const auto before = OldReport::find(old->limits, limit.key))
        console.line(fmt::format("  {} {:.2f} of what it was", limit.name, limit.value / *before));
  }
  console.line("");
  for (const Sample& s : report.samples) {
    const std::string range = fmt::format("({} to {})", figure(s.low), figure(s.high));
    std::string line =
        fmt::format("{:<24}{:>10} {:<6} {:<22}", s.name, figure(s.median), s.unit, range);
    if (s.share > 0) {
      const Limit limit = report.limits.find(s.limit);
      line += fmt::format("{:>8.1f} {:<8}{:>6} of {:<17}", s.rate / 1e9, limit.unit,
                          percent(s.share), limit.name);
    }
    if (s.in_cache) line += fmt::format("{:<44}", "    in the processor's cache");
    if (s.joules > 0) line += fmt::format("  {:.3f} J/token", s.joules);
    if (old)
      if (const auto before = OldReport::find(old->samples, s.name))
        line += "  " + comparison_text(console, s.median / *before, s.more_is_better());
    line.erase(line.find_last_not_of(' ') + 1);
    console.line(line);
  }
  console.line("");
  for (const std::string& note : report.notes) console.line(note);
  console.line(fmt::format("logits fingerprint {:016x}", report.fingerprint));
}

void print_profile(Console& console, const BenchSubject& subject, const ProfileReport& report) {
  print_subject(console, subject);
  console.line(limits_text(report.limits));
  for (const StepProfile& step : report.steps) {
    console.line("");
    console.line(console.styled(Style::bold, step.name) +
                 fmt::format(", {:.3f} ms a step", 1e3 * step.seconds));
    console.line(fmt::format("{:<24}{:>5}{:>14}{:>8}{:>13}{:>15}{:>13}{:>16}{:>6}", "operation",
                             "ops", "time", "share", "moves", "computes", "rate", "rate",
                             "  share of the limit"));
    int64_t count = 0;
    for (const ProfileRow& row : step.rows) {
      print_row(console, row.weight.empty() ? row.operation : row.operation + " " + row.weight,
                row.count, row.seconds, step.seconds, row.work, report.limits);
      count += row.count;
    }
    console.line(fmt::format("{:<29}{:>11.1f} us{:>6.1f} %", "waiting", 1e6 * step.waiting,
                             100 * step.waiting / step.seconds));
    print_row(console, "all", count, step.seconds, step.seconds, step.work, report.limits);
  }
  console.line("");
  console.line(fmt::format("logits fingerprint {:016x}", report.fingerprint));
}

void print_endurance(Console& console, const BenchSubject& subject, const Endurance& result) {
  console.line(fmt::format("{} tokens streamed by {}", result.tokens, subject.info.title));
  console.line(fmt::format(
      "median time of a token: second tenth {:.2f} us, last tenth {:.2f} us, ratio {:.3f}",
      result.second_tenth_us, result.last_tenth_us, result.last_tenth_us / result.second_tenth_us));
  console.line(fmt::format(
      "resident memory after the first quarter: {} to {}, {:.3f} bytes a token",
      bytes_text(result.resident_begin), bytes_text(result.resident_end), result.resident_slope));
  console.line(fmt::format("logits fingerprint {:016x}", result.fingerprint));
}

}  // namespace skein::cli
