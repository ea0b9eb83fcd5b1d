// The plots and the table of docs/performance.md from reports of skein bench --json. Run by
// tools/plot_performance.sh.
//
//   plot_performance OUT SHAPE TYPE REPORT [SHAPE TYPE REPORT ...] stream REPORT
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "cli/console.h"
#include "cli/svg.h"

namespace skein {
namespace {

using cli::BarChart, cli::Drawing, cli::LineChart;

struct Report {
  std::string shape, type;
  Json json;
};

std::string text_of(const Json& json, std::string_view key) {
  return std::string(json.find(key).string().value_or(""));
}

double number_of(const Json& json, std::string_view key) {
  double value = 0;
  return json.find(key).number(value) ? value : 0;
}

// The sample of a kind and size; the first of the kind for size 0; false if there is none.
Json sample_of(const Report& report, std::string_view kind, double size) {
  for (const Json sample : report.json.find("samples").array())
    if (text_of(sample, "kind") == kind && (size == 0 || number_of(sample, "size") == size))
      return sample;
  return {};
}

std::vector<std::string> shapes_of(const std::vector<Report>& reports) {
  std::vector<std::string> out;
  for (const Report& report : reports)
    if (std::find(out.begin(), out.end(), report.shape) == out.end()) out.push_back(report.shape);
  return out;
}

std::string decode_plot(const std::vector<Report>& reports) {
  Drawing drawing("Decoding one sequence, by format");
  BarChart chart = {.title = "Decoding one sequence: share of the read limit",
                    .axis = "% of a plain read of the weights",
                    .mark = 100,
                    .bars = {}};
  const std::vector<std::string> shapes = shapes_of(reports);
  for (const Report& report : reports)
    if (const Json sample = sample_of(report, "decode", 1)) {
      const auto shape = std::find(shapes.begin(), shapes.end(), report.shape);
      const double share = 100 * number_of(sample, "share");
      chart.bars.push_back(
          {.label = report.shape + " " + report.type,
           .value = share,
           .note = fmt::format("{:.0f} %, {:.1f} tok/s", share, number_of(sample, "median")),
           .colour = static_cast<size_t>(shape - shapes.begin())});
    }
  drawing.add(chart);
  return drawing.text();
}

// A chart for each shape, a line for each type.
std::string scaling_plot(const std::vector<Report>& reports, std::string_view kind,
                         const std::string& title, const std::string& x_axis) {
  Drawing drawing(title);
  for (const std::string& shape : shapes_of(reports)) {
    LineChart chart = {.title = title + ", " + shape,
                       .x_axis = x_axis,
                       .y_axis = "tok/s",
                       .doubling = true,
                       .lines = {}};
    for (const Report& report : reports) {
      if (report.shape != shape) continue;
      LineChart::Line line = {.name = report.type, .points = {}};
      for (const Json sample : report.json.find("samples").array())
        if (text_of(sample, "kind") == kind)
          line.points.emplace_back(number_of(sample, "size"), number_of(sample, "median"));
      std::sort(line.points.begin(), line.points.end());
      if (!line.points.empty()) chart.lines.push_back(std::move(line));
    }
    drawing.add(chart);
  }
  return drawing.text();
}

std::string table(const std::vector<Report>& reports, const Json& stream) {
  std::string out =
      "| model | weights, MiB | read limit, GB/s | decode, tok/s | of the read limit | "
      "prefill, tok/s | of its limit | 8 sequences, tok/s | 64 | load, ms | peak / announced |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|\n";
  const auto figure = [](const Json& sample, std::string_view key, double factor, int digits) {
    return sample ? fmt::format("{:.{}f}", factor * number_of(sample, key), digits)
                  : std::string("-");
  };
  for (const Report& report : reports) {
    double read = 0;
    for (const Json limit : report.json.find("limits").array())
      if (text_of(limit, "name") == "read_bandwidth") read = number_of(limit, "value");
    const Json decode = sample_of(report, "decode", 1);
    const Json prefill = sample_of(report, "prefill", 0);
    const double announced = number_of(report.json, "announced_peak_bytes");
    out += fmt::format(
        "| {} {} | {:.0f} | {:.1f} | {} | {} % | {} | {} % of {} | {} | {} | {} | {:.2f} |\n",
        report.shape, report.type, number_of(report.json, "weight_bytes") / (1 << 20), read / 1e9,
        figure(decode, "median", 1, 1), figure(decode, "share", 100, 0),
        figure(prefill, "median", 1, 0), figure(prefill, "share", 100, 0),
        prefill ? text_of(prefill, "limit") : "-",
        figure(sample_of(report, "decode", 8), "median", 1, 0),
        figure(sample_of(report, "decode", 64), "median", 1, 0),
        figure(sample_of(report, "load", 0), "median", 1, 0),
        announced > 0 ? number_of(report.json, "peak_resident_bytes") / announced : 0);
  }
  out += fmt::format(
      "\n{:.0f} tokens streamed by {}: median time of a token {:.1f} us in the second tenth, "
      "{:.1f} us in the last, ratio {:.3f}; {:.3f} bytes of memory a token.\n",
      number_of(stream, "tokens"), text_of(stream, "model"), number_of(stream, "second_tenth_us"),
      number_of(stream, "last_tenth_us"), number_of(stream, "ratio"),
      number_of(stream, "resident_slope"));
  return out;
}

Result<Json> report_in(const std::string& file) {
  SK_TRY(const std::string text, cli::read_text(file, limits::kFolderJsonBytes));
  auto json = parse_json(text, limits::kFolderJsonBytes);
  if (!json) return fail(Code::corrupt, "{}: {}", file, json.error().message);
  return json;
}

Status write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return fail(Code::io, "{} could not be written", path.string());
  return {};
}

Status plot_all(const std::vector<std::string>& args) {
  std::vector<Report> reports;
  std::optional<Json> stream;
  for (size_t i = 1; i < args.size();) {
    if (args[i] == "stream" && i + 1 < args.size()) {
      SK_TRY(stream, report_in(args[i + 1]));
      i += 2;
    } else if (i + 2 < args.size()) {
      SK_TRY(Json json, report_in(args[i + 2]));
      reports.push_back({args[i], args[i + 1], std::move(json)});
      i += 3;
    } else {
      break;
    }
  }
  if (reports.empty() || !stream)
    return fail(Code::argument,
                "plot_performance OUT SHAPE TYPE REPORT [...] stream REPORT, with reports of skein "
                "bench --json");
  const std::filesystem::path out = args[0];
  SK_TRY_STATUS(write(out / "performance-decode.svg", decode_plot(reports)));
  SK_TRY_STATUS(write(out / "performance-prefill.svg",
                      scaling_plot(reports, "chunk", "Prefill", "tokens of a chunk")));
  SK_TRY_STATUS(write(out / "performance-batch.svg",
                      scaling_plot(reports, "decode", "Decoding together", "sequences")));
  fmt::print("{}", table(reports, *stream));
  return {};
}

}  // namespace
}  // namespace skein

int main(int argc, char** argv) {
  const skein::Status status = skein::plot_all({argv + 1, argv + argc});
  if (status) return 0;
  fmt::print(stderr, "error: {}\n", status.error().message);
  return 1;
}
