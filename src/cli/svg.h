// Charts as SVG: horizontal bars and lines, on a transparent ground, in colours that can be read on
// white and on black.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skein::cli {

struct BarChart {
  struct Bar {
    std::string label;
    double value = 0;
    std::string note{};  // on the right; empty: the value
    size_t colour = 0;   // bars of one kind have one
  };
  std::string title;
  std::string axis;  // "% of the limit"
  double mark = 0;   // a line across all bars, such as 100 %; 0: none
  std::vector<Bar> bars;
};

struct LineChart {
  struct Line {
    std::string name;
    std::vector<std::pair<double, double>> points;  // by ascending x
  };
  std::string title;
  std::string x_axis, y_axis;
  bool doubling = false;  // x is 1, 2, 4, ...: each doubling is as wide as the next, x > 0
  std::vector<Line> lines;
};

// Charts one below the other.
class Drawing {
 public:
  explicit Drawing(std::string title) : title_(std::move(title)) {}

  void add(const BarChart& chart);
  void add(const LineChart& chart);  // nothing where no line has a point
  // The whole file.
  std::string text() const;

 private:
  void heading(const std::string& title);
  void line(std::string_view kind, double x1, double y1, double x2, double y2);
  // `anchor`: "start", "middle" or "end" of the text stands at x.
  void write(double x, double y, std::string_view anchor, std::string_view kind,
             std::string_view text);

  std::string title_;
  std::string body_;
  double height_ = 0;  // of what is drawn
};

}  // namespace skein::cli
