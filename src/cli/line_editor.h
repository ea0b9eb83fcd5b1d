// Lines typed at a terminal, with editing, history and completion.
#pragma once

#include <filesystem>
#include <string>

#include "cli/console.h"
#include "cli/line_device.h"
#include "cli/line_edit.h"

namespace skein::cli {

class LineEditor {
 public:
  // `history` may be empty: nothing is remembered then. While one lives, what is typed is not
  // echoed and waits for the next line.
  LineEditor(Console& console, const std::filesystem::path& history, Complete complete);

  enum class Got { line, end, interrupted };
  // One line without its end. `prompt` may hold escape sequences for colour. What is pasted is part
  // of the line with its line ends and tabs; "[paste 1: 40 lines]" is shown for it. A terminal that
  // obeys nothing does the editing itself.
  Got read(const std::string& prompt, std::string& line);
  // Into the history, on disk at once. A line with line ends in it is not kept.
  void remember(const std::string& line) { history_.add(line); }

 private:
  class Reading;
  Got read_plain(const std::string& prompt, std::string& line);

  Console& console_;
  LineHistory history_;
  Complete complete_;
  LineDevice device_;
  KeyReader keys_;
};

}  // namespace skein::cli
