#include "cli/chat_view.h"

#include <filesystem>

#include "cli/folders.h"
#include "cli/interrupt.h"

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

ChatView::ChatView(Console& console, Model& model, Chat& chat, SamplingOptions& sampling,
                   const ChatViewOptions& options)
    : console_(console),
      model_(model),
      chat_(chat),
      sampling_(sampling),
      options_(options),
      editor_(console, history_file(),
              [this](std::string_view before) { return choices(before); }) {}

void ChatView::say(std::string_view line) {
  if (console_.quiet()) return;
  const std::string wrapped =
      takes_back(console_) ? WordWrap(console_.width()).next(line) : std::string(line);
  console_.line(console_.styled(Style::dim, wrapped));
}

void ChatView::complain(const Error& error) { console_.error(error); }

void ChatView::report(const Status& status, std::string_view done) {
  if (status) {
    say(done);
  } else {
    complain(status.error());
  }
}

int ChatView::run() {
  const interrupt::Scope scope;
  hello();
  std::string message;
  while (!leaving_ && !console_.closed() && !interrupt::leaving()) {
    bool leave = false;
    if (read_message(message, leave)) handle(message);
    leaving_ = leaving_ || leave;
  }
  return interrupt::leaving() ? interrupt::exit_code() : kFine;
}

void ChatView::hello() {
  const ModelInfo& info = model_.info();
  say(fmt::format("{}, {}. /help lists the commands, Ctrl-C stops an answer, Ctrl-D leaves.",
                  info.title, info.device));
}

// A line, or the lines between two """. False: there is nothing to handle.
bool ChatView::read_message(std::string& message, bool& leave) {
  const std::string name = chat_.branch() == "main" ? "" : escaped(chat_.branch()) + " ";
  std::string prompt = console_.styled(Style::cyan, name + ">") + " ";
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
        if (!in_block_) say("Ctrl-C twice leaves, and so do Ctrl-D and /exit");
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

void ChatView::handle(const std::string& message) {
  const std::string_view meant = command_meant(message);
  if (meant[0] == '/' && meant.find('\n') == std::string_view::npos) return handle_command(meant);
  answer([&](const ChatListener& listener) { return chat_.say(message, listener); });
}

void ChatView::answer(const std::function<Result<Reply>(const ChatListener&)>& ask,
                      const std::string& kept_as) {
  auto sampling = sampling_.sampling(*options_.sampling_profile, chat_.settings().think);
  if (!sampling) return complain(sampling.error());
  chat_.settings().sampling = *sampling;
  interrupt::clear();
  ReplyView view(console_, options_.thinking);
  const auto reply = ask(view.listener());
  view.finish();
  interrupt::clear();
  if (!reply) return complain(reply.error());
  if (!reply->kept) return say("stopped while reading; nothing was added to the conversation");
  if (reply->finish == Finish::interrupted)
    say("stopped; /continue goes on");
  else if (reply->finish == Finish::length)
    say("that was the limit; /continue goes on");
  last_ = speed_of(*reply);
  if (!kept_as.empty()) say(fmt::format("the other answer stays as branch {}", escaped(kept_as)));
  if (options_.stats) tell_speed(console_.verbose());
  console_.line("");  // where a turn ends, and the next question begins
}

}  // namespace skein::cli
