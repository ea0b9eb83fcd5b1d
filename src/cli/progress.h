// How far a long step has come: a line on a terminal ten times a second, a plain line every few
// seconds elsewhere, nothing with -q or --json.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/bytes_text.h"
#include "cli/console.h"

namespace skein::cli {

class Progress {
 public:
  enum class Unit { bytes, tokens };

  // `label`: "loading", "reading the prompt". `before`: what was done when the clock began.
  Progress(Console& console, std::string label, Unit unit, int64_t before = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // A total of 0 is not known.
  void update(int64_t done, int64_t total);

 private:
  using Clock = std::chrono::steady_clock;
  std::string text(int64_t done, int64_t total, double seconds, bool bar) const;

  Console& console_;
  std::string label_;
  Unit unit_;
  int64_t before_;
  Clock::time_point began_;
  Clock::time_point drawn_;
};

}  // namespace skein::cli
