// Lines typed at a terminal, with editing, history and completion. line_editor.cpp is the one file
// that knows libedit.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skein::cli {

class LineEditor {
 public:
  // `history` may be empty: nothing is remembered then. `words` complete with Tab at the beginning
  // of a line.
  LineEditor(const std::filesystem::path& history, std::vector<std::string> words);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  enum class Got { line, end, interrupted };
  // One line without its end. `prompt` may hold escape sequences for colour. What is pasted is part
  // of the line with its line ends and tabs; "[paste 1: 40 lines]" is shown for it.
  Got read(const std::string& prompt, std::string& line);
  // Into the history, on disk at once. A line with line ends in it is not kept.
  void remember(const std::string& line);

 private:
  struct Editor;
  std::unique_ptr<Editor> editor_;
};

}  // namespace skein::cli
