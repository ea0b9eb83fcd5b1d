// An answer as it comes: text at once, thoughts dimmed, the cursor at the start of a line at the
// end.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/console.h"
#include "cli/progress.h"
#include "cli/word_wrap.h"
#include "run/chat.h"

namespace skein::cli {

enum class ShowThinking { automatic, always, never };  // automatic: on a terminal
Result<ShowThinking> parse_show_thinking(std::string_view name);

// A model may write any bytes; those that a terminal would obey become U+FFFD.
std::string without_controls(std::string_view text);

// Whether what was written to standard output can be taken back, which breaking lines needs.
bool takes_back(const Console& console);

class ReplyView {
 public:
  ReplyView(Console& console, ShowThinking thinking);

  // Shows what happens and stops it on Ctrl-C or when nobody reads any more. Valid while this
  // lives.
  ChatListener listener();
  // Leaves the cursor at the start of a line.
  void finish();

 private:
  bool read(size_t done, size_t total);
  bool show(const Event& event);
  std::string shown(std::string_view text);

  Console& console_;
  ShowThinking thinking_;
  std::unique_ptr<Progress> progress_;
  enum class Part { nothing, thought, text } part_ = Part::nothing;
  bool line_open_ = false;
  std::optional<WordWrap> wrap_;  // on a terminal that can take back what was written
};

}  // namespace skein::cli
