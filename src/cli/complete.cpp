// skein complete: raw continuation of a text or of token ids, without a template.
#include <algorithm>
#include <chrono>
#include <map>

#include "base/clock.h"
#include "base/file_writer.h"
#include "base/limits.h"
#include "cli/commands.h"
#include "cli/complete_view.h"
#include "cli/constraint_options.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/output_check.h"
#include "cli/progress.h"
#include "cli/remote_complete.h"
#include "cli/sampling_options.h"
#include "cli/speed.h"
#include "io/pth_writer.h"
#include "run/engine.h"
#include "run/state_file.h"
#include "run/vocabulary.h"
#include "text/template.h"

namespace skein::cli {
namespace {

constexpr uint64_t kTextBytes = 64 * limits::kMiB;

// Editors and `echo` put a line end at the end of a text, where it would mean a new line.
void drop_last_line_end(std::string& text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
}

class Complete final : public Command {
 public:
  void declare(Options& options) override;
  int run(Console& console) override;
  bool needs_arguments() const override { return server_.empty(); }

 private:
  struct Start {
    std::vector<int32_t> known_ids;  // what the state that was given stands for
    std::string known_text;
    bool known = true;
  };
  using Kept = KeptCompletion;

  Status open(Console& console);
  int ask_server(Console& console);
  Status read_given_text(Console& console);
  Result<State> first_state();
  Status read_prompt(Console& console);
  Status trace_prompt(Session& session);
  Result<Finish> generate(Console& console, Engine& engine,
                          const std::shared_ptr<Generation>& generation, Kept& kept);
  Status save(Engine& engine, const Session& session, const std::shared_ptr<Generation>& generation,
              Kept& kept);
  CompletionView view(Console& console) const {
    return {console, tokenizer_.get(), {.jsonl = jsonl_, .logprobs = logprobs_.has_value()}};
  }

  const Options* options_ = nullptr;  // while it runs
  ModelOptions model_options_;
  RemoteOptions remote_options_;
  std::string server_;
  SamplingOptions sampling_options_;
  ConstraintOptions constraint_options_;
  std::optional<std::string> text_;
  std::string file_, tokens_, state_file_, save_file_, trace_file_, profile_name_;
  std::string leading_ = "auto";
  std::vector<std::string> stops_;
  int64_t limit_ = 256, draft_ = 0;
  std::optional<int64_t> logprobs_;
  bool jsonl_ = false, stats_ = false, ignore_end_ = false, special_ = false;

  std::shared_ptr<Model> model_;
  text::TokenizerPtr tokenizer_;  // null: ids only
  std::optional<constrain::Matcher> constraint_;
  const text::Profile* profile_ = nullptr;
  TokenTraits traits_;
  Sampling sampling_;
  Start start_;
  std::vector<int32_t> prompt_;
  std::string prompt_text_;
  Speed speed_;
};

void Complete::declare(Options& options) {
  options_ = &options;
  model_options_.declare(options);
  options.argument("TEXT", text_, "what to continue; without it -f, --tokens or standard input")
      .optional();
  options.stand_in("-p,--prompt", "TEXT", "TEXT");
  options
      .value("-f,--file", file_, "FILE", "the text from a file or pipe, without its last line end")
      .file();
  options.value("--tokens", tokens_, "IDS",
                "token ids instead of a text: 1,2,3; prints ids where "
                "no vocabulary is found");
  options.value("-n,--predict", limit_, "N", "how many tokens at most; -1: until the text ends")
      .range(-1, std::nullopt);
  declare_draft(options, draft_);
  options.value("--stop", stops_, "TEXT", "end before this text; may stand several times");
  constraint_options_.declare(options);
  options.flag("--special", special_,
               "take <|...|> in the text for the vocabulary's special tokens");
  options.flag("--ignore-eos", ignore_end_, "go on where the model would end the text");
  options
      .value("--leading-zero", leading_, "WHEN",
             "begin a fresh sequence with the end of a text: auto (as the model was trained), yes "
             "or no")
      .one_of({"auto", "yes", "no"});
  std::vector<std::string> names;
  for (const text::Profile& one : text::profiles()) names.emplace_back(one.name);
  options
      .value("--profile", profile_name_, "NAME",
             "whose sampling values to begin with, instead of what the file suggests")
      .one_of(names);
  options.value("--state", state_file_, "FILE", "begin in this state instead of a fresh one")
      .file();
  options.value("--save-state", save_file_, "FILE", "save the state after the last token").file();
  options.value("--logprobs", logprobs_, "K", "report each token's probability and the K likeliest")
      .range(0, 1000);
  options
      .value("--trace", trace_file_, "FILE.safetensors",
             "write every named value of the prompt's pass")
      .file();
  options.flag("--jsonl", jsonl_, "print a line of JSON for each token, then usage and done");
  options.flag("--stats", stats_, "say at the end how fast it was");
  // Not elsewhere: who sets a server for `client` has models of his own here.
  options
      .value("--server", server_, "URL",
             "ask a server, Skein's or another with OpenAI's API, instead of a model that runs "
             "here; -m names one of its models")
      .unset_elsewhere();
  remote_options_.declare(options);
  sampling_options_.declare(options);
}

// With a server MODEL may be missing, and a single word is the text.
int Complete::ask_server(Console& console) {
  for (const char* name :
       {"draft", "special", "leading-zero", "profile", "state", "save-state", "logprobs", "trace",
        "jsonl", "lora", "vocab", "threads", "chunk", "numerics", "sparse", "two-plane"})
    if (options_->given(name))
      return console.error({Code::argument, fmt::format("--{} is for a model that runs here, not "
                                                        "for one behind --server",
                                                        name)});
  const bool typed = options_->given("MODEL");
  std::string model = typed ? model_options_.path() : "";
  if (typed && !options_->given("model") && !text_ && file_.empty() && tokens_.empty())
    text_ = std::exchange(model, {});
  if (text_.has_value() + !file_.empty() + !tokens_.empty() > 1)
    return console.error({Code::argument, "give one of TEXT, --file and --tokens"});
  RemoteCompletion asked = {.model = std::move(model),
                            .predict = limit_,
                            .stop = stops_,
                            .ignore_end = ignore_end_,
                            .stats = stats_};
  if (!tokens_.empty()) {
    auto ids = parse_ids(tokens_);
    if (!ids) return console.error(ids.error());
    asked.ids = std::move(*ids);
  } else if (auto status = read_given_text(console); !status) {
    return console.error(status.error());
  }
  asked.text = prompt_text_;
  auto wanted = constraint_options_.wanted();
  if (!wanted) return console.error(wanted.error());
  asked.wanted = std::move(*wanted);
  auto remote = remote_options_.open(console, server_);
  if (!remote) return console.error(remote.error());
  view(console).show_prompt(prompt_text_);
  return complete_remotely(console, *remote, std::move(asked), sampling_options_);
}

int Complete::run(Console& console) {
  if (!server_.empty()) return ask_server(console);
  console.make_room_for(save_file_);
  console.make_room_for(trace_file_);
  if (auto status = open(console); !status) return console.error(status.error());
  auto state = first_state();
  if (!state) return console.error(state.error());
  if (auto status = read_prompt(console); !status) return console.error(status.error());
  auto sampler = Sampler::create(sampling_, traits_);
  if (!sampler) return console.error(sampler.error());

  const interrupt::Scope scope;
  Engine engine(model_);
  Session session(model_, std::move(*state));
  const auto start = std::chrono::steady_clock::now();
  if (!trace_file_.empty()) {
    if (auto status = trace_prompt(session); !status) return console.error(status.error());
  } else {
    Progress progress(console, "reading the prompt", Progress::Unit::tokens);
    const auto read = engine.read(session, prompt_, [&](size_t done, size_t total) {
      progress.update(static_cast<int64_t>(done), static_cast<int64_t>(total));
      return done == total || !interrupt::requested();
    });
    if (!read) return console.error(read.error());
    if (*read < prompt_.size())
      return console.error({Code::io, "interrupted while reading the prompt"});
  }
  speed_.prompt_tokens = prompt_.size();
  speed_.prompt_seconds = seconds_since(start);

  GenerateOptions options;
  options.max_tokens = limit_;
  options.stops.stop_strings = stops_;
  options.constraint = constraint_;
  options.logprobs = logprobs_.has_value();
  options.top_logprobs = static_cast<int32_t>(logprobs_.value_or(0));
  std::optional<PromptLookup> drafter;
  if (draft_ > 0) {
    drafter.emplace();
    for (const int32_t id : start_.known_ids) drafter->push(id);
    for (const int32_t id : prompt_) drafter->push(id);
    options.drafter = &*drafter;
    options.draft = draft_;
  }
  auto generation = Generation::start(session, tokenizer_.get(), std::move(*sampler), options);
  if (!generation) return console.error(generation.error());
  Kept kept;
  view(console).show_prompt(prompt_text_);
  const auto finish = generate(console, engine, *generation, kept);
  if (!finish) return console.error(finish.error());
  const bool structured = console.json() || jsonl_;
  const std::string result =
      structured ? view(console).result({*finish, kept, sampling_.seed, speed_}) : "";
  const bool tells_speed = (stats_ || console.verbose()) && !structured && !console.quiet();
  const std::string speed =  // measures the device
      tells_speed
          ? console.styled_stderr(Style::dim, speed_text(speed_, *model_, console.verbose()))
          : "";
  if (!save_file_.empty())
    if (auto status = save(engine, session, *generation, kept); !status)
      return console.error(status.error());
  if (structured) console.line(result);
  console.flush();  // a signal from here on ends the program with the scope
  if (constraint_ && *finish == Finish::length) console.warn(ConstraintOptions::cut_text(limit_));
  if (tells_speed) console.note(speed);
  if (*finish == Finish::interrupted && (interrupt::requested() || !console.closed()))
    return interrupt::exit_code();
  return kFine;
}

Status Complete::open(Console& console) {
  const int sources = text_.has_value() + !file_.empty() + !tokens_.empty();
  if (sources > 1) return fail(Code::argument, "give one of TEXT, --file and --tokens");
  if (logprobs_ && !console.json() && !jsonl_)
    return fail(Code::argument, "--logprobs needs --json or --jsonl to report them");
  if (jsonl_ && console.json())
    return fail(Code::argument, "--json and --jsonl exclude each other");
  const std::string& model = model_options_.path();
  SK_TRY_STATUS(check_output(save_file_, {model, model_options_.vocab(), file_}));
  SK_TRY_STATUS(check_output(trace_file_, {model, model_options_.vocab(), file_, state_file_}));
  if (!save_file_.empty() && save_file_ == trace_file_)
    return fail(Code::argument, "--save-state and --trace name the same place");
  SK_TRY(Opening opening, model_options_.look(console));
  auto tokenizer = model_options_.tokenizer(opening);
  if (tokenizer) {
    tokenizer_ = *tokenizer;
  } else if (tokens_.empty() || !model_options_.vocab().empty() || !stops_.empty() ||
             constraint_options_.given()) {
    return tl::unexpected(tokenizer.error());
  }
  SK_TRY_STATUS(constraint_options_.check());
  if (constraint_options_.given()) {
    SK_TRY(constrain::ConstraintPtr made,
           constraint_options_.compiled(console, std::make_shared<constrain::Words>(tokenizer_)));
    constraint_.emplace(std::move(made));
  }
  SK_TRY(model_, model_options_.load(console, std::move(opening)));
  // Now it is known what else was read for it.
  for (const std::string& output : {save_file_, trace_file_}) SK_TRY_STATUS(check_output(output));
  profile_ = profile_name_.empty() ? &find_profile(ModelText::of(*model_), tokenizer_.get())
                                   : text::profile_by_name(profile_name_);
  traits_ = tokenizer_ ? token_traits(
                             model_->vocab(), [&](int32_t id) { return tokenizer_->bytes_of(id); },
                             tokenizer_->ends())
                       : token_traits(model_->vocab());
  SK_TRY(sampling_, sampling_options_.sampling(*profile_, text::ThinkMode::none));
  if (ignore_end_) {
    const std::span<const int32_t> ends = tokenizer_ ? tokenizer_->ends() : kEndOfDocument;
    sampling_.banned.insert(sampling_.banned.end(), ends.begin(), ends.end());
  }
  return {};
}

Result<State> Complete::first_state() {
  if (state_file_.empty()) return model_->new_state();
  SK_TRY(const auto bytes, read_file(state_file_, limits::kStateFileBytes));
  const std::string name = escaped(state_file_);
  if (!is_saved_state(bytes)) {
    start_.known = false;
    return import_state(bytes, name, model_->state_layout());
  }
  SK_TRY(SavedState saved, parse_saved_state(bytes, name));
  SK_TRY(State state, to_state(saved, bytes, model_->state_layout(), name));
  start_.known = saved.tokens.size() == saved.tokens_read;
  start_.known_ids = std::move(saved.tokens);
  start_.known_text = std::move(saved.text);
  return state;
}

Status Complete::read_given_text(Console& console) {
  if (text_) {
    prompt_text_ = *text_;
  } else {
    const bool typed = file_.empty() && console.stdin_is_terminal();
    if (typed) console.note("type the text to continue; Ctrl-D at the beginning of a line ends it");
    SK_TRY(prompt_text_, read_text(file_.empty() ? "-" : file_, kTextBytes));
    if (prompt_text_.empty())
      return fail(Code::argument, "{}",
                  typed ? "no text was typed"
                        : (file_.empty() || file_ == "-" ? "standard input" : escaped(file_)) +
                              " is empty: to begin with nothing, say -p \"\"");
    drop_last_line_end(prompt_text_);
  }
  return {};
}

Status Complete::read_prompt(Console& console) {
  const bool fresh = state_file_.empty();
  if (!tokens_.empty()) {
    SK_TRY(prompt_, parse_ids(tokens_));
    if (tokenizer_) {
      SK_TRY(prompt_text_, tokenizer_->decode(prompt_));
    }
    return {};
  }
  SK_TRY_STATUS(read_given_text(console));
  const text::PromptFacts facts = text::inspect_prompt(prompt_text_);
  if (facts.trailing_space)
    console.warn(
        "the text ends in a space; words begin with theirs, so this makes most of them "
        "impossible");
  if (facts.carriage_returns)
    console.warn("the text has carriage returns, which the model hardly saw in training");
  if (facts.closed_think_tag)
    console.warn(
        "the text ends in <think>; without the > the model could also leave out a thought");
  SK_TRY(prompt_, tokenizer_->encode(prompt_text_,
                                     special_ ? text::Special::as_token : text::Special::as_text));
  const bool zero =
      fresh && (leading_ == "yes" ||
                (leading_ == "auto" && (profile_->leading_end_of_text || prompt_.empty())));
  if (zero && tokenizer_->end_of_text() >= 0)
    prompt_.insert(prompt_.begin(), tokenizer_->end_of_text());
  if (prompt_.empty()) return fail(Code::argument, "the text is empty");
  if (prompt_.size() > limits::kPromptTokens)
    return fail(Code::argument, "the text has {} tokens, more than the limit of {}", prompt_.size(),
                limits::kPromptTokens);
  const int64_t trained = model_->info().trained_context;
  if (trained > 0 && static_cast<int64_t>(prompt_.size()) > 2 * trained)
    console.warn(fmt::format("{} tokens are more than twice the {} the model was trained on",
                             prompt_.size(), trained));
  return {};
}

// Reads the prompt with every named value written down. A long prompt goes through in several
// passes, whose rows follow each other here.
Status Complete::trace_prompt(Session& session) {
  struct Rows {
    int64_t width = 0;
    std::vector<float> data;
  };
  std::map<std::string, Rows> values;
  SK_TRY_STATUS(session.trace(prompt_, [&](const ops::Value& value, std::span<const float> data) {
    Rows& rows = values[value.name];
    rows.width = value.width;
    rows.data.insert(rows.data.end(), data.begin(), data.end());
  }));
  std::vector<io::NamedTensor> tensors;
  for (const auto& [name, rows] : values)
    tensors.push_back({name,
                       Shape({static_cast<int64_t>(rows.data.size()) / rows.width, rows.width}),
                       rows.data});
  SK_TRY(const std::vector<std::byte> bytes, io::write_safetensors(tensors, {}));
  const std::span<const std::byte> part = bytes;
  return write_file(trace_file_, {&part, 1}, {.spare_inputs = true});
}

Result<Finish> Complete::generate(Console& console, Engine& engine,
                                  const std::shared_ptr<Generation>& generation, Kept& kept) {
  const bool keeps_text = console.json() || jsonl_ || !save_file_.empty();
  const bool keeps_ids = console.json() || !save_file_.empty();
  const auto start = std::chrono::steady_clock::now();
  CompletionView shown = view(console);
  Event event;
  Status status;
  for (event.finish = generation->finish(); event.finish == Finish::running;) {
    if (interrupt::requested() || console.closed()) generation->interrupt();
    if (status = engine.next(generation, event); !status) break;
    if (keeps_text) kept.text += event.text;
    if (keeps_ids && event.id >= 0) kept.ids.push_back(event.id);
    if (console.json() && logprobs_ && event.id >= 0) {
      kept.logprobs.push_back(event.logprob);
      kept.top.push_back(event.top);
    }
    shown.show(event);
  }
  speed_.tokens = generation->count();
  speed_.seconds = seconds_since(start);
  speed_.fingerprint = generation->fingerprint();
  speed_.rough = generation->rough_count();
  speed_.exact_share = generation->exact_share();
  speed_.drafted = generation->drafted_count();
  speed_.accepted = generation->accepted_count();
  shown.end_line();
  console.flush();
  if (!status) return tl::unexpected(status.error());
  return generation->finish();
}

// The state that has read exactly the prompt and what was shown after it.
Status Complete::save(Engine& engine, const Session& session,
                      const std::shared_ptr<Generation>& generation, Kept& kept) {
  std::vector<int32_t> ids = start_.known_ids;
  ids.insert(ids.end(), prompt_.begin(), prompt_.end());
  const auto read = kept.ids.begin() + static_cast<int64_t>(generation->read_count());
  ids.insert(ids.end(), kept.ids.begin(), read);
  SK_TRY(const std::vector<int32_t> rest, generation->settle());
  SK_TRY_STATUS(engine.wait(generation));
  SK_TRY_STATUS(generation->settled());
  ids.insert(ids.end(), rest.begin(), rest.end());
  if (!start_.known) ids.clear();
  const std::string text =
      start_.known && tokenizer_ ? start_.known_text + prompt_text_ + kept.text : "";
  SK_TRY_STATUS(check_exportable(session.state()));
  SK_TRY(const StateFile file, StateFile::make(session.state(), ids, text));
  return write_file(save_file_, file.pieces(), {.spare_inputs = true});
}

}  // namespace

CommandPtr make_complete() { return std::make_unique<Complete>(); }

}  // namespace skein::cli
