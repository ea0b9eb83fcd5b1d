// /v1/completions: texts, or ids, to be gone on with and scored.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "server/generation_request.h"

namespace skein::server {
namespace {

class Prompts {
 public:
  Prompts(const Served& served, Fields& fields) : served_(served), fields_(fields) {
    for (const std::string_view name : {"add_bos", "prepend_eod"})
      if (const auto given = fields.boolean(name)) leading_ = given;
  }

  std::vector<std::vector<int32_t>> read() {
    const Json prompt = fields_.find("prompt");
    const auto list = prompt.array();
    if (prompt.string())
      add_text(*prompt.string());
    else if (!list)
      refuse("prompt has to be a string, a list of strings, of ids, or of lists of ids");
    else if (list->empty() || is_number(list->front()))
      add_ids(*list);
    else if (list->size() > limits::kPrompts)
      refuse(fmt::format("more than {} prompts in one request", limits::kPrompts));
    else
      for (const Json& each : *list) add(each);
    return std::move(out_);
  }

 private:
  void refuse(std::string why) { fields_.refuse("prompt", std::move(why)); }
  static bool is_number(const Json& json) {
    double number = 0;
    return json.number(number);
  }

  void add(const Json& json) {
    if (const auto text = json.string()) return add_text(*text);
    if (const auto ids = json.array()) return add_ids(*ids);
    refuse("an entry of prompt is neither a string nor a list of ids");
  }

  // As the model was trained, unless somebody says how.
  void add_text(std::string_view text) {
    auto ids = served_.host->tokenizer().encode(text);
    if (!ids) return refuse(ids.error().message);
    push(std::move(*ids), leading_.value_or(served_.profile->leading_end_of_text));
  }

  // As they are.
  void add_ids(const Json::Array& list) {
    std::vector<int32_t> ids;
    ids.reserve(list.size());
    for (const Json& each : list) {
      int64_t id = 0;
      if (!each.integer(id) || id < 0 || id >= served_.host->model().vocab())
        return refuse(fmt::format("prompt holds what is no token id of this model, 0 to {}",
                                  served_.host->model().vocab() - 1));
      ids.push_back(static_cast<int32_t>(id));
    }
    push(std::move(ids), leading_.value_or(false));
  }

  void push(std::vector<int32_t> ids, bool leading) {
    const int32_t end = served_.host->tokenizer().end_of_text();
    if ((leading || ids.empty()) && end >= 0) ids.insert(ids.begin(), end);
    if (ids.empty()) return refuse("prompt is empty");
    if (ids.size() > limits::kPromptTokens)
      return fields_.refuse(
          {.message = fmt::format("{} tokens are more than {}", ids.size(), limits::kPromptTokens),
           .param = "prompt",
           .code = "context_length_exceeded"});
    out_.push_back(std::move(ids));
  }

  const Served& served_;
  Fields& fields_;
  std::optional<bool> leading_;
  std::vector<std::vector<int32_t>> out_;
};

}  // namespace

Asked<GenerationRequest> read_completion_request(const Served& served, const Defaults& defaults,
                                                 const Json& body) {
  Fields fields(body);
  auto common = read_common_fields(served, defaults, text::ThinkMode::none, fields);
  if (!common) return tl::unexpected(std::move(common).error());
  if (const auto suffix = fields.string("suffix"); suffix && !suffix->empty())
    fields.decline("suffix", "this model was not trained to fill in the middle of a text");
  auto prompts = Prompts(served, fields).read();
  GenerateOptions& options = common->options;
  constexpr auto kMost = static_cast<int64_t>(limits::kPromptTokens);
  options.max_tokens = fields.integer("max_tokens", -1, kMost).value_or(16);
  const bool echo = fields.flag("echo", false);
  if (options.max_tokens == 0 && !echo)
    fields.refuse("max_tokens", "max_tokens 0 needs echo: there is nothing to answer with");
  const auto logprobs = fields.integer("logprobs", 0, static_cast<int64_t>(limits::kTopLogprobs));
  options.logprobs = logprobs.has_value();
  options.top_logprobs = static_cast<int32_t>(logprobs.value_or(0));
  const auto best_of = fields.integer("best_of", 1, static_cast<int64_t>(limits::kChoices));
  const size_t choices = std::max(common->choices, static_cast<size_t>(best_of.value_or(1)));
  if (best_of && static_cast<size_t>(*best_of) < common->choices)
    fields.refuse("best_of", "best_of has to be at least n");
  if (choices > common->choices && common->stream)
    fields.refuse("best_of", "the best of several is only known at the end: not with stream");
  if (fields.error()) return tl::unexpected(*fields.error());

  GenerationRequest out;
  ReplyPlan& plan = out.plan;
  const bool only_read = options.max_tokens == 0;
  plan.stream = common->stream;
  plan.include_usage = common->include_usage;
  plan.ping_seconds = common->ping_seconds;
  plan.choices = only_read ? 1 : choices;
  plan.shown = only_read ? 1 : common->choices;
  plan.prompts = prompts.size();
  plan.logprobs = options.logprobs;
  plan.top = static_cast<size_t>(options.top_logprobs);
  plan.echo = echo;
  plan.token_ids = fields.flag("return_token_ids", false);
  if (fields.error()) return tl::unexpected(*fields.error());
  // The best is chosen by its probability.
  options.logprobs = options.logprobs || choices > common->choices;
  if (plan.logprobs && echo) {
    // What is told of a prompt's tokens stands in the answer once for each choice.
    constexpr uint64_t kToken = 96, kTop = 64;  // bytes of one, about
    uint64_t tokens = 0;
    for (const auto& ids : prompts) tokens += ids.size();
    const uint64_t bytes = tokens * plan.choices * (kToken + plan.top * kTop);
    if (bytes > limits::kAnswerBytes)
      fields.refuse("logprobs",
                    fmt::format("the scores of {} tokens for {} choices would be some {} "
                                "MiB, and an answer has at most {}",
                                tokens, plan.choices, bytes / limits::kMiB,
                                limits::kAnswerBytes / limits::kMiB));
    if (fields.error()) return tl::unexpected(*fields.error());
  }
  for (auto& ids : prompts) {
    // Without a seed, equal prompts are told different things.
    if (!common->seeded && !out.orders.empty())
      common->sampling.seed = choice_seed(common->sampling.seed, plan.choices);
    plan.prompt_tokens += static_cast<int64_t>(ids.size());
    out.orders.push_back({.prompt = std::move(ids),
                          .first_choice = out.orders.size() * plan.choices,
                          .choices = only_read ? 0 : choices,
                          .scored = echo && plan.logprobs,
                          .top = plan.top,
                          .sampling = common->sampling,
                          .options = options});
  }
  return out;
}

}  // namespace skein::server
