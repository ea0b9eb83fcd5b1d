// skein ask: a question about a document, which is read once.
#include <algorithm>

#include "base/limits.h"
#include "base/platform.h"
#include "cli/commands.h"
#include "cli/document_state.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/remote_ask.h"
#include "cli/sampling_options.h"
#include "cli/speed.h"
#include "run/chat.h"
#include "run/vocabulary.h"

namespace skein::cli {
namespace {

constexpr uint64_t kDocumentBytes = 64 * limits::kMiB;

class Ask final : public Command {
 public:
  void declare(Options& options) override;
  int run(Console& console) override;
  bool needs_arguments() const override { return server_.empty(); }

 private:
  int ask_server(Console& console, const std::string& document);
  Result<std::unique_ptr<Chat>> open(Console& console, const std::string& text);
  Status load(Console& console, Chat& chat, const DocumentReader& reader, const std::string& text);
  int answer(Console& console, Chat& chat);

  const Options* options_ = nullptr;
  ModelOptions model_options_;
  SamplingOptions sampling_options_;
  RemoteOptions remote_options_;
  std::optional<std::string> question_;
  std::string document_, folder_, server_, profile_name_;
  std::string show_thinking_ = "auto";
  int64_t limit_ = -1;
  bool stats_ = false;
  ShowThinking thinking_ = ShowThinking::automatic;
  std::shared_ptr<Model> model_;
};

void Ask::declare(Options& options) {
  options_ = &options;
  model_options_.declare(options);
  options.argument("QUESTION", question_, "what you want to know").optional();
  options.stand_in("-p,--prompt", "QUESTION", "TEXT");
  options
      .value("--doc", document_, "FILE",
             "the text that the question is about; it is read once, and its state is kept")
      .file()
      .unset_elsewhere();
  options
      .value("--keep-in", folder_, "DIR",
             "where states of documents are kept; without it in your cache")
      .file();
  options.value("-n,--predict", limit_, "N", "tokens of the answer at most; -1: no limit")
      .range(-1, std::nullopt);
  options.value("--show-thinking", show_thinking_, "WHEN", "auto (on a terminal), always or never")
      .one_of({"auto", "always", "never"});
  std::vector<std::string> names;
  for (const text::Profile& one : text::profiles()) names.emplace_back(one.name);
  options
      .value("--profile", profile_name_, "NAME",
             "how the model is talked to and sampled, instead of what its file suggests")
      .one_of(names);
  options.flag("--stats", stats_, "say at the end how fast it was");
  options
      .value("--server", server_, "URL",
             "ask a server of Skein's, which keeps the state, instead of a model that runs here; "
             "-m names one of its models")
      .unset_elsewhere();
  remote_options_.declare(options);
  sampling_options_.declare(options);
}

int Ask::run(Console& console) {
  // With a server MODEL may be missing, and a single word is the question.
  if (!server_.empty() && !question_ && !options_->given("model")) {
    question_ = model_options_.path();
    model_options_.set_path("");
  }
  if (!question_ || question_->empty())
    return console.error({Code::argument, "QUESTION is missing"});
  if (document_.empty())
    return console.error({Code::argument,
                          "--doc FILE is missing: the text that the question is about; "
                          "without one ask with skein run"});
  auto thinking = parse_show_thinking(show_thinking_);
  if (!thinking) return console.error(thinking.error());
  thinking_ = *thinking;
  const auto document = read_text(document_, kDocumentBytes);
  if (!document) return console.error(document.error());
  if (document->find_first_not_of(" \t\r\n") == std::string::npos)
    return console.error({Code::argument, escaped(document_) + " is empty"});
  if (!server_.empty()) return ask_server(console, document_text(*document));
  const interrupt::Scope scope;
  auto chat = open(console, document_text(*document));
  if (!chat && interrupt::requested()) return interrupt::exit_code();
  if (!chat) return console.error(chat.error());
  return answer(console, **chat);
}

int Ask::ask_server(Console& console, const std::string& document) {
  for (const char* name : {"profile", "keep-in", "lora", "vocab", "threads", "chunk", "numerics",
                           "sparse", "two-plane"})
    if (options_->given(name))
      return console.error({Code::argument, fmt::format("--{} is for a model that runs here, not "
                                                        "for one behind --server",
                                                        name)});
  auto remote = remote_options_.open(console, server_);
  if (!remote) return console.error(remote.error());
  return ask_remotely(console, *remote,
                      {.model = model_options_.path(),
                       .document = document,
                       .question = *question_,
                       .predict = limit_,
                       .stats = stats_},
                      thinking_, sampling_options_);
}

Result<std::unique_ptr<Chat>> Ask::open(Console& console, const std::string& text) {
  SK_TRY(Opening opening, model_options_.look(console));
  SK_TRY(text::TokenizerPtr tokenizer, model_options_.tokenizer(opening));
  SK_TRY(model_, model_options_.load(console, std::move(opening)));
  ChatSettings settings;
  settings.profile = profile_name_.empty() ? &find_profile(ModelText::of(*model_), tokenizer.get())
                                           : text::profile_by_name(profile_name_);
  settings.think = settings.profile->think;
  SK_TRY(settings.sampling, sampling_options_.sampling(*settings.profile, settings.think));
  settings.max_tokens = limit_;
  const DocumentReader reader{std::make_shared<Engine>(model_), model_, tokenizer,
                              settings.profile};
  SK_TRY(std::unique_ptr<Chat> chat,
         Chat::create(reader.engine, std::move(tokenizer), std::move(settings)));
  SK_TRY_STATUS(load(console, *chat, reader, text));
  return chat;
}

// A file that cannot be used is made anew: it costs time only.
Status Ask::load(Console& console, Chat& chat, const DocumentReader& reader,
                 const std::string& text) {
  const std::filesystem::path folder =
      folder_.empty() ? document_folder() : std::filesystem::path(folder_);
  if (folder.empty())
    return fail(Code::argument,
                "no home folder says where a state can be kept; give --keep-in DIR");
  const std::filesystem::path place = folder / document_file(reader, text);
  std::error_code ignored;
  if (std::filesystem::exists(place, ignored)) {
    const Status loaded = chat.load(place);
    if (loaded) {
      console.detail(fmt::format("the document was read before: {}", escaped(place.string())));
      return {};
    }
    console.warn(loaded.error().message + "; the document is read again");
  }
  SK_TRY_STATUS(read_document(console, reader, text, place));
  return chat.load(place);
}

int Ask::answer(Console& console, Chat& chat) {
  ReplyView view(console, thinking_);
  const auto reply = chat.say(*question_, view.listener());
  view.finish();
  if (!reply) return console.error(reply.error());
  if (!reply->kept) return console.error({Code::io, "interrupted while reading the question"});
  const Speed speed = speed_of(*reply);
  if (console.json()) {
    JsonWriter json;
    json.begin_object().member("text", reply->text);
    if (!reply->thinking.empty()) json.member("thinking", reply->thinking);
    json.member("finish", finish_name(reply->finish));
    write_speed(json, speed);
    console.object(json.end_object());
  }
  if ((stats_ || console.verbose()) && !console.quiet() && !console.json())
    console.note(console.styled_stderr(Style::dim, speed_text(speed, *model_, console.verbose())));
  if (reply->finish == Finish::interrupted && (interrupt::requested() || !console.closed()))
    return interrupt::exit_code();
  return kFine;
}

}  // namespace

CommandPtr make_ask() { return std::make_unique<Ask>(); }

}  // namespace skein::cli
