// skein client: run's chat, with a model that another process serves.
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/remote_view.h"

namespace skein::cli {
namespace {

constexpr uint64_t kPromptBytes = uint64_t{64} << 20;

class Client final : public Command {
 public:
  void declare(Options& options) override;
  int run(Console& console) override;

 private:
  Result<std::string> question(const Console& console) const;
  int answer_once(Console& console, RemoteChat& chat, const std::string& question);

  RemoteOptions remote_options_;
  SamplingOptions sampling_options_;
  std::string url_ = "http://127.0.0.1:8080", system_, file_, show_thinking_ = "auto";
  std::optional<std::string> prompt_;
  RemoteSettings settings_;
  ShowThinking thinking_ = ShowThinking::automatic;
  bool stats_ = false;
};

void Client::declare(Options& options) {
  options
      .argument("URL", url_, "the server [http://127.0.0.1:8080]; as https://host, with /v1 or not")
      .optional();
  options.stand_in("--server", "URL", "URL").set_elsewhere().set_by_user();
  // SKEIN_MODEL and `model` in a file name a model of this machine.
  options
      .value("-m,--model", settings_.model, "NAME",
             "which of its models; without it the one that it has")
      .unset_elsewhere();
  remote_options_.declare(options);
  options
      .value("-p,--prompt", prompt_, "TEXT",
             "one question; without it a chat, or the question from a pipe")
      .unset_elsewhere();
  options.value("-f,--file", file_, "FILE", "the question from a file; -: standard input")
      .file()
      .unset_elsewhere();
  options.value("--system", system_, "TEXT", "what the conversation begins with");
  options.value("--think", settings_.think, "LEVEL",
                "how much to think, as far as the server knows it: none, low, medium, high");
  options.value("--show-thinking", show_thinking_, "WHEN", "auto (on a terminal), always or never")
      .one_of({"auto", "always", "never"});
  options
      .value("-n,--predict", settings_.predict, "N",
             "tokens of an answer at most; -1: as the server likes")
      .range(-1, std::nullopt);
  options.value("--stop", settings_.stop, "TEXT",
                "end an answer before this text; may stand several times");
  options.flag("--stats", stats_, "say after each answer how fast it was");
  sampling_options_.declare(options);
}

int Client::run(Console& console) {
  const bool chats = !prompt_ && file_.empty() && console.stdin_is_terminal() &&
                     console.stdout_is_terminal() && !console.json();
  auto thinking = parse_show_thinking(show_thinking_);
  if (!thinking) return console.error(thinking.error());
  thinking_ = *thinking;
  auto remote = remote_options_.open(console, url_);
  if (!remote) return console.error(remote.error());
  std::string text;
  if (!chats) {
    auto asked = question(console);
    if (!asked) return console.error(asked.error());
    text = std::move(*asked);
  }
  if (settings_.model.empty()) {
    const interrupt::Scope scope;
    auto model = only_model(*remote);
    if (!model && interrupt::requested()) return interrupt::exit_code();
    if (!model) return console.error(model.error());
    settings_.model = std::move(*model);
  }
  RemoteChat chat(*remote, sampling_options_, settings_, system_);
  if (!chats) return answer_once(console, chat, text);
  return RemoteView(console, *remote, chat, sampling_options_, thinking_, stats_).run();
}

Result<std::string> Client::question(const Console& console) const {
  if (prompt_ && !file_.empty()) return fail(Code::argument, "give one of --prompt and --file");
  if (!prompt_ && file_.empty() && console.stdin_is_terminal())
    return fail(Code::argument, "--prompt is missing: a chat needs a terminal for its answers too");
  std::string text;
  if (prompt_) {
    text = *prompt_;
  } else {
    SK_TRY(text, read_text(file_.empty() ? "-" : file_, kPromptBytes));
    text.resize(text.find_last_not_of("\r\n") + 1);
  }
  if (text.find_first_not_of(" \t\r\n") == std::string::npos)
    return fail(Code::argument, "the question is empty: there is nothing to answer");
  return text;
}

int Client::answer_once(Console& console, RemoteChat& chat, const std::string& question) {
  const interrupt::Scope scope;
  RemoteSpeed speed;
  const auto answer = show_answer(
      console, thinking_,
      [&](const RemoteListener& listener) { return chat.say(question, listener); }, speed);
  if (!answer) return console.error(answer.error());
  if (console.json()) write_answer(console, *answer, chat.settings().model, speed);
  if ((stats_ || console.verbose()) && !console.quiet() && !console.json())
    console.note(console.styled_stderr(Style::dim, speed_text(speed)));
  if (answer->stopped && (interrupt::requested() || !console.closed()))
    return interrupt::exit_code();
  return kFine;
}

}  // namespace

CommandPtr make_client() { return std::make_unique<Client>(); }

}  // namespace skein::cli
