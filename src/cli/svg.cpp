#include "cli/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace skein::cli {
namespace {

constexpr double kWidth = 760, kTop = 34, kBottom = 46, kUnit = 14;
constexpr double kBarLeft = 200, kBarRight = 580, kBarStep = 22, kBarHeight = 14;
constexpr double kLineLeft = 80, kLineHeight = 240;
// With names beside the lines, and without.
constexpr double kNamedRight = 620, kPlainRight = 730;

// Of middling lightness, told apart also by those who see fewer colours.
constexpr std::string_view kColours[] = {"#3b82c4", "#e08a2e", "#3a9d6e", "#c8547a",
                                         "#8a6fc9", "#8d8d2a", "#4aa6b5", "#a0674b"};
std::string_view colour(size_t index) { return kColours[index % std::size(kColours)]; }

std::string escaped_xml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

std::string number(double value) {
  const double size = std::abs(value);
  if (size >= 1e6) return fmt::format("{:g}M", std::round(value / 1e3) / 1e3);
  if (size >= 1e4) return fmt::format("{:g}k", std::round(value / 10) / 100);
  return fmt::format("{:.4g}", value);
}

// The distance of ticks, 1, 2 or 5 times a power of ten, that cuts [0, most] into about `parts`.
double tick_step(double most, double parts) {
  if (!(most > 0) || !std::isfinite(most)) return 1;
  const double rough = most / parts, power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (rough <= factor * power) return factor * power;
  return 10 * power;
}

double finite(double value) { return std::isfinite(value) && value > 0 ? value : 0; }

}  // namespace

void Drawing::heading(const std::string& title) { write(16, height_ + 20, "start", "h", title); }

void Drawing::line(std::string_view kind, double x1, double y1, double x2, double y2) {
  fmt::format_to(std::back_inserter(body_),
                 "<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
                 kind, x1, y1, x2, y2);
}

void Drawing::write(double x, double y, std::string_view anchor, std::string_view kind,
                    std::string_view text) {
  fmt::format_to(std::back_inserter(body_),
                 "<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n",
                 kind, x, y, anchor, escaped_xml(text));
}

void Drawing::add(const BarChart& chart) {
  heading(chart.title);
  double most = chart.mark;
  for (const BarChart::Bar& bar : chart.bars) most = std::max(most, finite(bar.value));
  const double step = tick_step(most, 5), top = std::max(step, std::ceil(most / step) * step);
  const auto place = [&](double value) {
    return kBarLeft + (kBarRight - kBarLeft) * finite(value) / top;
  };
  const double begin = height_ + kTop;
  const double end = begin + kBarStep * static_cast<double>(chart.bars.size());
  for (int i = 0; i * step <= top * 1.0001; ++i) {
    line("g", place(i * step), begin, place(i * step), end);
    write(place(i * step), end + 16, "middle", "t", number(i * step));
  }
  if (chart.mark > 0) line("m", place(chart.mark), begin, place(chart.mark), end);
  double y = begin;
  for (const BarChart::Bar& bar : chart.bars) {
    write(kBarLeft - 8, y + kBarStep / 2 + 4, "end", "t", bar.label);
    fmt::format_to(std::back_inserter(body_),
                   "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
                   "fill=\"{}\"/>\n",
                   kBarLeft, y + (kBarStep - kBarHeight) / 2, place(bar.value) - kBarLeft,
                   kBarHeight, colour(bar.colour));
    // In a column, where neither the mark nor a tick goes through it.
    write(kBarRight + 12, y + kBarStep / 2 + 4, "start", "t",
          bar.note.empty() ? number(bar.value) : bar.note);
    y += kBarStep;
  }
  line("a", kBarLeft, begin, kBarLeft, end);
  write((kBarLeft + kBarRight) / 2, end + 34, "middle", "t", chart.axis);
  height_ = end + kBottom;
}

void Drawing::add(const LineChart& chart) {
  const auto any = [&](auto has) {
    return std::any_of(chart.lines.begin(), chart.lines.end(), has);
  };
  if (!any([](const LineChart::Line& one) { return !one.points.empty(); })) return;
  const double right =
      any([](const LineChart::Line& one) { return !one.name.empty(); }) ? kNamedRight : kPlainRight;
  heading(chart.title);
  double least_x = 1e300, most_x = -1e300, most_y = 0;
  for (const LineChart::Line& one : chart.lines)
    for (const auto& [x, y] : one.points) {
      least_x = std::min(least_x, x);
      most_x = std::max(most_x, x);
      most_y = std::max(most_y, finite(y));
    }
  if (!chart.doubling) least_x = std::min(least_x, 0.0);
  const double y_step = tick_step(most_y, 5);
  const double y_top = std::max(y_step, std::ceil(most_y / y_step) * y_step);
  const double begin = height_ + kTop + kUnit, end = begin + kLineHeight;
  const auto along = [&](double x) { return chart.doubling ? std::log2(x) : x; };
  const double span = along(most_x) - along(least_x);
  const auto place_x = [&](double x) {
    const double share = span > 0 ? (along(x) - along(least_x)) / span : 0.5;
    return kLineLeft + (right - kLineLeft) * share;
  };
  const auto place_y = [&](double y) { return end - kLineHeight * finite(y) / y_top; };

  for (int i = 0; i * y_step <= y_top * 1.0001; ++i) {
    line("g", kLineLeft, place_y(i * y_step), right, place_y(i * y_step));
    write(kLineLeft - 8, place_y(i * y_step) + 4, "end", "t", number(i * y_step));
  }
  const double x_step = chart.doubling ? 0 : tick_step(most_x - least_x, 6);
  for (double x = least_x; x <= most_x * 1.0001; x = chart.doubling ? 2 * x : x + x_step) {
    line("g", place_x(x), begin, place_x(x), end);
    write(place_x(x), end + 16, "middle", "t", number(x));
    if (span <= 0) break;
  }
  line("a", kLineLeft, begin, kLineLeft, end);
  line("a", kLineLeft, end, right, end);
  write((kLineLeft + right) / 2, end + 34, "middle", "t", chart.x_axis);
  write(kLineLeft - 8, begin - 12, "end", "t", chart.y_axis);

  for (size_t i = 0; i < chart.lines.size(); ++i) {
    const LineChart::Line& one = chart.lines[i];
    std::string path;
    for (const auto& [x, y] : one.points)
      fmt::format_to(std::back_inserter(path), "{}{:.1f},{:.1f}", path.empty() ? "" : " ",
                     place_x(x), place_y(y));
    fmt::format_to(std::back_inserter(body_),
                   "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"2\" points=\"{}\"/>\n",
                   colour(i), path);
    constexpr size_t kFewPoints = 20;
    if (one.points.size() <= kFewPoints)
      for (const auto& [x, y] : one.points)
        fmt::format_to(std::back_inserter(body_),
                       "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>\n", place_x(x),
                       place_y(y), colour(i));
    if (one.name.empty()) continue;
    const double y = begin + 12 + 18 * static_cast<double>(i);
    fmt::format_to(std::back_inserter(body_),
                   "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"12\" height=\"4\" fill=\"{}\"/>\n",
                   right + 16, y - 6, colour(i));
    write(right + 34, y, "start", "t", one.name);
  }
  height_ = end + kBottom;
}

std::string Drawing::text() const {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
      "height=\"{1:.0f}\" role=\"img\">\n"
      "<title>{2}</title>\n"
      "<style>\n"
      "text {{ font: 12px sans-serif; fill: #777 }}\n"
      ".h {{ font-size: 14px; font-weight: bold }}\n"
      ".a {{ stroke: #888 }} .g {{ stroke: #888; stroke-opacity: 0.25 }}\n"
      ".m {{ stroke: #888; stroke-opacity: 0.6; stroke-width: 2; stroke-dasharray: 4 3 }}\n"
      "@media (prefers-color-scheme: light) {{ text {{ fill: #444 }} }}\n"
      "@media (prefers-color-scheme: dark) {{ text {{ fill: #ccc }} }}\n"
      "</style>\n{3}</svg>\n",
      kWidth, height_, escaped_xml(title_), body_);
}

}  // namespace skein::cli
