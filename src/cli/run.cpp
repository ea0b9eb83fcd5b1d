// skein run: a chat on a terminal, or one answer to a prompt or a pipe.
#include <algorithm>

#include "base/platform.h"
#include "cli/chat_view.h"
#include "cli/commands.h"
#include "cli/constraint_options.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "run/vocabulary.h"

namespace skein::cli {
namespace {

constexpr uint64_t kPromptBytes = uint64_t{64} << 20;

class Run final : public Command {
 public:
  void declare(Options& options) override;
  int run(Console& console) override;

 private:
  Status open(Console& console, Opening opening);
  Result<const text::Profile*> profile(const std::string& name) const;
  Result<std::string> prompt(Console& console) const;
  Result<std::string> material(Console& console) const;
  int answer_once(Console& console, const std::string& prompt);
  void write_result(Console& console, const Reply& reply, const Speed& speed) const;

  ModelOptions model_options_;
  SamplingOptions sampling_options_;
  ConstraintOptions constraint_options_;
  std::optional<std::string> prompt_;
  std::string profile_name_, template_name_, system_, state_file_, file_;
  std::optional<std::string> think_;
  std::string show_thinking_ = "auto";
  std::vector<std::string> stops_;
  int64_t limit_ = -1, think_budget_ = -1, draft_ = 0;
  bool stats_ = false;

  std::shared_ptr<Model> model_;
  const text::Profile* sampling_profile_ = nullptr;
  ShowThinking thinking_ = ShowThinking::automatic;
  std::unique_ptr<Chat> chat_;
};

void Run::declare(Options& options) {
  model_options_.declare(options);
  options
      .argument("PROMPT", prompt_, "one question; without it a chat, or the question from a pipe")
      .optional();
  options.stand_in("-p,--prompt", "PROMPT", "TEXT");
  options.value("-f,--file", file_, "FILE", "a text that the question is about; -: standard input")
      .file()
      .unset_elsewhere();
  options.value("--system", system_, "TEXT", "what the conversation begins with");
  options.value("--think", think_, "MODE", "how to think before the answer")
      .one_of({"none", "fake", "free", "bit", "think", "lot", "zh"});
  options.value("--think-budget", think_budget_, "N", "tokens of a thought at most; -1: no limit")
      .range(-1, std::nullopt);
  options.value("--show-thinking", show_thinking_, "WHEN", "auto (on a terminal), always or never")
      .one_of({"auto", "always", "never"});
  options.value("-n,--predict", limit_, "N", "tokens of an answer at most; -1: no limit")
      .range(-1, std::nullopt);
  declare_draft(options, draft_);
  options.value("--stop", stops_, "TEXT",
                "end an answer before this text; may stand several times");
  constraint_options_.declare(options);
  std::vector<std::string> names;
  for (const text::Profile& one : text::profiles()) names.emplace_back(one.name);
  options
      .value("--profile", profile_name_, "NAME",
             "how the model is talked to and sampled, instead of what its file suggests")
      .one_of(names);
  options.value("--template", template_name_, "NAME", "another profile's way of writing turns")
      .one_of(names);
  options.value("--state", state_file_, "FILE", "begin in this state: saved, or tuned").file();
  options.flag("--stats", stats_, "say after each answer how fast it was");
  sampling_options_.declare(options);
}

int Run::run(Console& console) {
  const bool chats = !prompt_ && file_.empty() && console.stdin_is_terminal() &&
                     console.stdout_is_terminal() && !console.json();
  // A file that is not there is told before a question is waited for.
  auto opening = model_options_.look(console);
  if (!opening) return console.error(opening.error());
  std::string question;
  if (!chats) {
    auto text = prompt(console);
    if (!text) return console.error(text.error());
    question = std::move(*text);
  }
  if (auto status = open(console, std::move(*opening)); !status)
    return console.error(status.error());
  if (!chats) return answer_once(console, question);
  ChatView view(console, *model_, *chat_, sampling_options_, constraint_options_,
                {.thinking = thinking_, .stats = stats_, .sampling_profile = sampling_profile_});
  return view.run();
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// The question, and behind it the text that it is about: a state that knows what is asked reads
// with that in mind.
Result<std::string> Run::prompt(Console& console) const {
  if (!prompt_ && file_.empty() && console.stdin_is_terminal())
    return fail(Code::argument, "PROMPT is missing: a chat needs a terminal for its answers too");
  SK_TRY(std::string text, material(console));
  if (!prompt_) {
    if (is_blank(text))
      return fail(Code::argument, "{} is empty: there is nothing to answer",
                  file_.empty() || file_ == "-" ? "standard input" : escaped(file_));
    return text;
  }
  if (is_blank(*prompt_) && is_blank(text))
    return fail(Code::argument, "PROMPT is empty: there is nothing to answer");
  if (is_blank(text)) return *prompt_;
  return is_blank(*prompt_) ? text : *prompt_ + "\n\n" + text;
}

// Of --file, or what is piped in. A terminal or /dev/null has none, nor has a pipe that somebody
// left open and says nothing on.
Result<std::string> Run::material(Console& console) const {
  if (!file_.empty()) {
    SK_TRY(std::string text, read_text(file_, kPromptBytes));
    if (prompt_ && is_blank(text))
      return fail(Code::argument, "{} is empty: there is nothing that the question could be about",
                  file_ == "-" ? "standard input" : escaped(file_));
    return text;
  }
  if (!prompt_) return read_stdin(kPromptBytes);
  if (!has_piped_input()) return std::string();
  constexpr int kPatienceMs = 2000;
  if (!input_comes_within(kPatienceMs)) {
    console.warn("nothing comes from standard input; the question is answered without it");
    return std::string();
  }
  SK_TRY(std::string text, read_stdin(kPromptBytes));
  if (!text.empty())
    console.detail(fmt::format("{} bytes of standard input follow the question", text.size()));
  return text;
}

Status Run::open(Console& console, Opening opening) {
  SK_TRY(text::TokenizerPtr tokenizer, model_options_.tokenizer(opening));
  ChatSettings settings;
  if (constraint_options_.given()) {
    settings.words = std::make_shared<const constrain::Words>(tokenizer);
    SK_TRY_STATUS(constraint_options_.compiled(console, settings.words));
  }
  SK_TRY(settings.wanted, constraint_options_.wanted());
  SK_TRY(model_, model_options_.load(console, std::move(opening)));
  sampling_profile_ = profile_name_.empty() ? &find_profile(ModelText::of(*model_), tokenizer.get())
                                            : text::profile_by_name(profile_name_);
  settings.profile =
      template_name_.empty() ? sampling_profile_ : text::profile_by_name(template_name_);
  settings.think = settings.profile->think;
  if (think_) {
    settings.think = *text::think_mode_by_name(*think_);
    if (!settings.profile->supports(settings.think)) {
      console.warn(fmt::format("the profile {} has no way of thinking \"{}\"; without it",
                               settings.profile->name, *think_));
      settings.think = text::ThinkMode::none;
    }
  }
  SK_TRY(settings.sampling, sampling_options_.sampling(*sampling_profile_, settings.think));
  settings.max_tokens = limit_;
  settings.think_budget = think_budget_;
  settings.draft = draft_;
  settings.stop = stops_;
  // Of what is free now that the model is there: states that are kept make going back quick, no
  // more.
  if (const uint64_t free = memory_available(); free > 0)
    settings.snapshot_bytes = std::min<size_t>(settings.snapshot_bytes, free / 4);
  SK_TRY(thinking_, parse_show_thinking(show_thinking_));
  SK_TRY(chat_, Chat::create(std::make_shared<Engine>(model_), std::move(tokenizer),
                             std::move(settings), system_));
  if (!state_file_.empty()) SK_TRY_STATUS(chat_->load(state_file_));
  return {};
}

int Run::answer_once(Console& console, const std::string& prompt) {
  const interrupt::Scope scope;
  ReplyView view(console, thinking_);
  const auto reply = chat_->say(prompt, view.listener());
  view.finish();
  if (!reply) return console.error(reply.error());
  if (!reply->kept) return console.error({Code::io, "interrupted while reading the prompt"});
  const Speed speed = speed_of(*reply);
  if (console.json()) write_result(console, *reply, speed);
  if (constraint_options_.given() && reply->finish == Finish::length)
    console.warn(constraint_options_.cut_text(limit_));
  if ((stats_ || console.verbose()) && !console.quiet() && !console.json())
    console.note(console.styled_stderr(Style::dim, speed_text(speed, *model_, console.verbose())));
  if (reply->finish == Finish::interrupted && (interrupt::requested() || !console.closed()))
    return interrupt::exit_code();
  return kFine;
}

void Run::write_result(Console& console, const Reply& reply, const Speed& speed) const {
  JsonWriter json;
  json.begin_object().member("text", reply.text);
  if (!reply.thinking.empty()) json.member("thinking", reply.thinking);
  json.member("finish", finish_name(reply.finish));
  json.member("seed", chat_->settings().sampling.seed);
  json.member("thought_tokens", reply.thought_tokens);
  write_speed(json, speed);
  json.end_object();
  console.object(json);
}

}  // namespace

CommandPtr make_run() { return std::make_unique<Run>(); }

}  // namespace skein::cli
