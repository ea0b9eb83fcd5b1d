// What is typed into a chat: a line, or the lines between two """.
#pragma once

#include <string>
#include <string_view>

#include "cli/console.h"
#include "cli/line_editor.h"

namespace skein::cli {

// Without blanks at both ends.
std::string_view trimmed(std::string_view text);

// A line of the program's own, not of the model's; not with -q.
void say_aside(Console& console, std::string_view line);

class MessageReader {
 public:
  // The history is the one of all chats.
  MessageReader(Console& console, Complete complete);

  // False: there is nothing to handle. `leave`: nor will there be. `name` stands before the prompt.
  bool read(std::string_view name, std::string& message, bool& leave);
  // Between two """, where no command begins.
  bool in_block() const { return in_block_; }

 private:
  Console& console_;
  LineEditor editor_;
  bool in_block_ = false;
};

}  // namespace skein::cli
