#include "cli/chat_view.h"

#include "cli/interrupt.h"

namespace skein::cli {
ChatView::ChatView(Console& console, Model& model, Chat& chat, SamplingOptions& sampling,
                   ConstraintOptions& constraint, const ChatViewOptions& options)
    : console_(console),
      model_(model),
      chat_(chat),
      sampling_(sampling),
      constraint_(constraint),
      options_(options),
      reader_(console, [this](std::string_view before) { return choices(before); }) {}

void ChatView::say(std::string_view line) { say_aside(console_, line); }

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
    const std::string name = chat_.branch() == "main" ? "" : escaped(chat_.branch()) + " ";
    if (reader_.read(name, message, leave)) handle(message);
    leaving_ = leaving_ || leave;
  }
  return interrupt::leaving() ? interrupt::exit_code() : kFine;
}

void ChatView::hello() {
  const ModelInfo& info = model_.info();
  say(fmt::format("{}, {}. /help lists the commands, Ctrl-C stops an answer, Ctrl-D leaves.",
                  info.title, info.device));
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
