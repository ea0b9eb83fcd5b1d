// skein bench --plot.
#include <algorithm>

#include "cli/bench_report.h"
#include "cli/svg.h"

namespace skein::cli {
namespace {

std::string title_of(const BenchSubject& subject) {
  return fmt::format("{}, {}", subject.info.title, subject.info.device);
}

// Bars of one limit have one colour.
class Colours {
 public:
  size_t operator()(std::string_view name) {
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end()) return names_.push_back(std::string(name)), names_.size() - 1;
    return static_cast<size_t>(found - names_.begin());
  }

 private:
  std::vector<std::string> names_;
};

// The samples of one kind against their size, if there are at least two.
void add_scaling(Drawing& drawing, const BenchmarkReport& report, std::string_view kind,
                 const char* title, const char* x_axis) {
  LineChart chart = {
      .title = title, .x_axis = x_axis, .y_axis = "tok/s", .doubling = true, .lines = {{}}};
  for (const Sample& s : report.samples)
    if (s.kind == kind) chart.lines[0].points.emplace_back(static_cast<double>(s.size), s.median);
  std::sort(chart.lines[0].points.begin(), chart.lines[0].points.end());
  if (chart.lines[0].points.size() >= 2) drawing.add(chart);
}

}  // namespace

std::string plot(const BenchSubject& subject, const BenchmarkReport& report) {
  Drawing drawing(title_of(subject));
  BarChart bars = {.title = title_of(subject), .axis = "% of the limit", .mark = 100, .bars = {}};
  Colours colours;
  for (const Sample& s : report.samples) {
    if (s.share <= 0) continue;
    bars.bars.push_back(
        {.label = s.name,
         .value = 100 * s.share,
         .note = fmt::format("{:.0f} % of {}", 100 * s.share, report.limits.find(s.limit).name),
         .colour = colours(s.limit)});
  }
  drawing.add(bars);
  add_scaling(drawing, report, "decode", "Decoding: all sequences together", "sequences");
  add_scaling(drawing, report, "chunk", "Prefill by chunk", "tokens of a chunk");
  return drawing.text();
}

std::string plot(const BenchSubject& subject, const ProfileReport& report) {
  Drawing drawing(title_of(subject));
  for (const StepProfile& step : report.steps) {
    BarChart bars = {.title = fmt::format("{}: {:.3f} ms of {}", step.name, 1e3 * step.seconds,
                                          title_of(subject)),
                     .axis = "% of the step",
                     .bars = {}};
    Colours colours;
    for (const ProfileRow& row : step.rows) {
      const auto bound = report.limits.bound(row.work);
      bars.bars.push_back(
          {.label = row.weight.empty() ? row.operation : row.operation + " " + row.weight,
           .value = 100 * row.seconds / step.seconds,
           .note = fmt::format("{:.1f} %, at {:.0f} % of {}", 100 * row.seconds / step.seconds,
                               100 * bound.seconds / row.seconds, bound.limit.name),
           .colour = colours(bound.limit.key)});
    }
    bars.bars.push_back({.label = "waiting",
                         .value = 100 * step.waiting / step.seconds,
                         .note = fmt::format("{:.1f} %", 100 * step.waiting / step.seconds),
                         .colour = colours("waiting")});
    drawing.add(bars);
  }
  return drawing.text();
}

std::string plot(const BenchSubject& subject, const Endurance& result) {
  Drawing drawing(title_of(subject));
  LineChart times = {.title = "Median time of a token, " + title_of(subject),
                     .x_axis = "tokens read",
                     .y_axis = "us",
                     .lines = {{}}};
  LineChart memory = {
      .title = "Resident memory", .x_axis = "tokens read", .y_axis = "MiB", .lines = {{}}};
  for (size_t i = 0; i < result.course.size(); ++i) {
    const double at = static_cast<double>(result.tokens) * static_cast<double>(i + 1) /
                      static_cast<double>(result.course.size());
    times.lines[0].points.emplace_back(at, result.course[i].median_us);
    memory.lines[0].points.emplace_back(at, result.course[i].resident / (1 << 20));
  }
  drawing.add(times);
  drawing.add(memory);
  return drawing.text();
}

}  // namespace skein::cli
