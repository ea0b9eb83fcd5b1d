#include "cli/remote_view.h"

#include <chrono>

#include "base/clock.h"
#include "cli/interrupt.h"

namespace skein::cli {

std::string speed_text(const RemoteSpeed& speed) {
  std::string out =
      fmt::format("{:.2f} s, the first word after {:.2f} s", speed.seconds, speed.first_seconds);
  if (speed.tokens >= 0) out = fmt::format("{} tokens in ", speed.tokens) + out;
  if (speed.prompt_tokens >= 0) out += fmt::format("; {} were read", speed.prompt_tokens);
  return out;
}

namespace {

Result<RemoteAnswer> timed(Console& console,
                           const std::function<Result<RemoteAnswer>(const RemoteListener&)>& ask,
                           const RemoteListener& show, RemoteSpeed& speed) {
  const auto start = std::chrono::steady_clock::now();
  bool begun = false;
  console.status("waiting for the answer");
  auto answer = ask([&](const Event& event) {
    if (!begun && !(event.text.empty() && event.thinking.empty())) {
      begun = true;
      speed.first_seconds = seconds_since(start);
      console.clear_status();
    }
    return show(event);
  });
  console.clear_status();
  speed.seconds = seconds_since(start);
  if (!begun) speed.first_seconds = speed.seconds;
  if (answer) {
    speed.prompt_tokens = answer->prompt_tokens;
    speed.tokens = answer->tokens;
  }
  return answer;
}

}  // namespace

Result<RemoteAnswer> show_answer(
    Console& console, ShowThinking thinking,
    const std::function<Result<RemoteAnswer>(const RemoteListener&)>& ask, RemoteSpeed& speed) {
  ReplyView view(console, thinking);
  auto answer = timed(console, ask, view.listener().answer, speed);
  view.finish();
  return answer;
}

Result<RemoteAnswer> show_text(
    Console& console, const std::function<Result<RemoteAnswer>(const RemoteListener&)>& ask,
    RemoteSpeed& speed) {
  bool line_open = false;
  auto answer = timed(
      console, ask,
      [&](const Event& event) {
        if (!console.json() && !event.text.empty()) {
          line_open = !event.text.ends_with('\n');
          console.out(console.stdout_is_terminal() ? without_controls(event.text) : event.text);
          console.flush();
        }
        return !interrupt::requested() && !console.closed();
      },
      speed);
  if (line_open && console.stdout_is_terminal()) console.out("\n");
  console.flush();
  return answer;
}

void write_answer(Console& console, const RemoteAnswer& answer, const std::string& model,
                  const RemoteSpeed& speed) {
  JsonWriter json;
  json.begin_object().member("text", answer.text);
  if (!answer.thinking.empty()) json.member("thinking", answer.thinking);
  json.member("model", model).member("finish", answer.stopped ? "interrupted" : answer.finish);
  if (speed.tokens >= 0)
    json.key("usage")
        .begin_object()
        .member("prompt_tokens", speed.prompt_tokens)
        .member("completion_tokens", speed.tokens)
        .end_object();
  json.key("speed").begin_object().member("first_seconds", speed.first_seconds);
  console.object(json.member("seconds", speed.seconds).end_object().end_object());
}

RemoteView::RemoteView(Console& console, Remote& remote, RemoteChat& chat,
                       SamplingOptions& sampling, ShowThinking thinking, bool stats)
    : console_(console),
      remote_(remote),
      chat_(chat),
      sampling_(sampling),
      thinking_(thinking),
      stats_(stats),
      reader_(console, [this](std::string_view before) { return choices(before); }) {}

int RemoteView::run() {
  const interrupt::Scope scope;
  say(fmt::format("{} at {}. /help lists the commands, Ctrl-C stops an answer, Ctrl-D leaves.",
                  escaped(chat_.settings().model), remote_.name()));
  std::string message;
  while (!leaving_ && !console_.closed() && !interrupt::leaving()) {
    bool leave = false;
    if (reader_.read("", message, leave)) handle(message);
    leaving_ = leaving_ || leave;
  }
  return interrupt::leaving() ? interrupt::exit_code() : kFine;
}

void RemoteView::handle(const std::string& message) {
  const std::string_view meant = command_meant(message);
  if (meant[0] == '/' && meant.find('\n') == std::string_view::npos) return handle_command(meant);
  answer([&](const RemoteListener& listener) { return chat_.say(message, listener); });
}

void RemoteView::answer(const std::function<Result<RemoteAnswer>(const RemoteListener&)>& ask) {
  interrupt::clear();
  RemoteSpeed speed;
  const auto reply = show_answer(console_, thinking_, ask, speed);
  interrupt::clear();
  if (!reply) return complain(reply.error());
  if (reply->stopped && reply->text.empty())
    return say("stopped; nothing was added to the conversation");
  if (reply->stopped)
    say("stopped; /continue goes on");
  else if (reply->finish == "length")
    say("that was the limit; /continue goes on");
  last_ = speed;
  if (stats_) say(speed_text(speed));
  console_.line("");  // where a turn ends, and the next question begins
}

}  // namespace skein::cli
