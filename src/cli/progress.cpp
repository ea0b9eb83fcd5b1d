#include "cli/progress.h"

#include <algorithm>
#include <cmath>

namespace skein::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience{200};  // what is over by then needs no bar
constexpr milliseconds kRedraw{100};
constexpr milliseconds kPlain{5000};

std::string time_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::ceil(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

constexpr int kWithBar = 80;  // columns, where the figures have room behind it

}  // namespace

Progress::Progress(Console& console, std::string label, Unit unit, int64_t before)
    : console_(console),
      label_(std::move(label)),
      unit_(unit),
      before_(before),
      began_(Clock::now()) {
  drawn_ = began_;
}

Progress::~Progress() { console_.clear_status(); }

std::string Progress::text(int64_t done, int64_t total, double seconds, bool bar) const {
  const double share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0;
  const double rate = seconds > 0 ? static_cast<double>(done - before_) / seconds : 0;
  std::string out = label_ + " ";
  if (total == 0 && unit_ == Unit::bytes)
    return out + bytes_text(static_cast<double>(done)) + "  " + rate_text(rate);
  if (bar) {
    constexpr int kCells = 16;
    const int full = std::clamp(static_cast<int>(share * kCells), 0, kCells);
    out += fmt::format("[{:#<{}}{:.<{}}] ", "", full, "", kCells - full);
  }
  out += fmt::format("{:3.0f} %  ", share * 100);
  if (unit_ == Unit::bytes)
    out += fmt::format("{} of {}  {}", bytes_text(static_cast<double>(done)),
                       bytes_text(static_cast<double>(total)), rate_text(rate));
  else
    out += fmt::format("{} of {} tokens  {:.0f} tok/s", done, total, rate);
  if (rate > 0 && done < total)
    out += "  " + time_text(static_cast<double>(total - done) / rate) + " left";
  return out;
}

void Progress::update(int64_t done, int64_t total) {
  if (console_.quiet() || console_.json()) return;
  const auto now = Clock::now();
  const bool terminal = console_.stderr_is_terminal();
  const auto wait = !terminal ? kPlain : drawn_ == began_ ? kPatience : kRedraw;
  if (now - drawn_ < wait) return;
  drawn_ = now;
  const std::string line = text(done, total, std::chrono::duration<double>(now - began_).count(),
                                terminal && console_.width() >= kWithBar);
  if (terminal)
    console_.status(line);
  else
    console_.note(line);
}

}  // namespace skein::cli
