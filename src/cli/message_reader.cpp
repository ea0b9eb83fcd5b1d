#include "cli/message_reader.h"

#include <filesystem>

#include "cli/folders.h"
#include "cli/interrupt.h"
#include "cli/reply_view.h"

namespace skein::cli {
namespace {

constexpr std::string_view kBlockMark = "\"\"\"";

std::filesystem::path history_file() {
  const auto folder = state_folder();
  return make_folder(folder) ? folder / "history" : std::filesystem::path();
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

void say_aside(Console& console, std::string_view line) {
  if (console.quiet()) return;
  const std::string wrapped =
      takes_back(console) ? WordWrap(console.width()).next(line) : std::string(line);
  console.line(console.styled(Style::dim, wrapped));
}

MessageReader::MessageReader(Console& console, Complete complete)
    : console_(console), editor_(console, history_file(), std::move(complete)) {}

bool MessageReader::read(std::string_view name, std::string& message, bool& leave) {
  std::string prompt = console_.styled(Style::cyan, std::string(name) + ">") + " ";
  message.clear();
  in_block_ = false;
  for (;;) {
    console_.flush();
    std::string line;
    switch (editor_.read(prompt, line)) {
      case LineEditor::Got::end:
        console_.line("");
        leave = true;
        return false;
      case LineEditor::Got::interrupted:
        interrupt::clear();
        console_.line("");
        if (interrupt::leaving()) return false;
        if (!in_block_) say_aside(console_, "Ctrl-C twice leaves, and so do Ctrl-D and /exit");
        return false;
      case LineEditor::Got::line: break;
    }
    editor_.remember(line);
    std::string_view rest = line;
    // A text that was pasted is whole, with marks of its own and the indentation of its first line.
    const bool pasted = rest.find('\n') != std::string_view::npos;
    if (!in_block_) {
      rest = trimmed(rest);
      if (pasted || !rest.starts_with(kBlockMark)) {
        message = pasted ? line.substr(0, line.find_last_not_of(" \t\r\n") + 1) : rest;
        return !message.empty();
      }
      rest.remove_prefix(kBlockMark.size());
      in_block_ = true;
      prompt = console_.styled(Style::cyan, "...") + " ";
    }
    const size_t end = pasted ? std::string_view::npos : rest.find(kBlockMark);
    message += rest.substr(0, end);
    if (end != std::string_view::npos) return !message.empty();
    message += '\n';
  }
}

}  // namespace skein::cli
